import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./run.ts";

const days = "30";

interface Certificate {
  readonly name: string;
  readonly subject: string;
  readonly subjectAltNames?: readonly string[];
}

/**
 * Writes into the directory what a cluster's parts trust each other by: ca, apiserver (for `addresses` as well), admin and
 * `node` certificates as NAME.crt and NAME.key, and the pair sa.key, sa.pub that signs service-account tokens.
 */
export async function makeCertificates(directory: string, addresses: readonly string[], node?: Node): Promise<void> {
  const openssl = (...args: readonly string[]) => run("openssl", args, { cwd: directory });
  const key = (name: string) => openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", `${name}.key`);
  const accounts = async () => {
    await openssl("genrsa", "-out", "sa.key", "2048");
    await openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub");
  };
  const sign = async ({ name, subject, subjectAltNames = [] }: Certificate) => {
    await key(name);
    await openssl("req", "-new", "-key", `${name}.key`, "-subj", subject, "-out", `${name}.csr`);
    const names = subjectAltNames.length === 0 ? "" : `subjectAltName=${subjectAltNames.join(",")}\n`;
    writeFileSync(join(directory, `${name}.ext`), `extendedKeyUsage=serverAuth,clientAuth\n${names}`);
    // A serial number of its own for each: they are signed side by side.
    const serial = ["-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", `0x${Buffer.from(name).toString("hex")}`];
    const output = ["-days", days, "-extfile", `${name}.ext`, "-out", `${name}.crt`];
    await openssl("x509", "-req", "-in", `${name}.csr`, ...serial, ...output);
  };
  await key("ca");
  await openssl("req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=test-cluster", "-days", days, "-out", "ca.crt");
  const services = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
  ];
  const subjectAltNames = [
    ...["localhost", ...services].map((name) => `DNS:${name}`),
    ...["127.0.0.1", "10.96.0.1", ...addresses].map((address) => `IP:${address}`),
  ];
  await Promise.all([
    accounts(),
    sign({ name: "apiserver", subject: "/CN=kube-apiserver", subjectAltNames }),
    sign({ name: "admin", subject: "/O=system:masters/CN=admin" }),
    ...(node === undefined ? [] : [sign(nodeCertificate(node))]),
  ]);
}

/** The kubelet's own name and address. */
export interface Node {
  readonly name: string;
  readonly address: string;
}

const nodeCertificate = ({ name, address }: Node): Certificate => ({
  name: "node",
  subject: `/O=system:nodes/CN=system:node:${name}`,
  subjectAltNames: [`DNS:${name}`, `IP:${address}`],
});
