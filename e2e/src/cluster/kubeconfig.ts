import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The text of a kubeconfig for the holder of NAME.crt in the directory, with everything in it. */
export function kubeconfig(directory: string, server: string, name: string): string {
  const data = (file: string) => readFileSync(join(directory, file)).toString("base64");
  return `apiVersion: v1
kind: Config
clusters:
  - name: test
    cluster:
      server: ${server}
      certificate-authority-data: ${data("ca.crt")}
users:
  - name: ${name}
    user:
      client-certificate-data: ${data(`${name}.crt`)}
      client-key-data: ${data(`${name}.key`)}
contexts:
  - name: test
    context: { cluster: test, user: ${name} }
current-context: test
`;
}
