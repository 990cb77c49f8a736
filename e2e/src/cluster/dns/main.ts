// Names of a test cluster: node main.ts DIRECTORY SERVER ADDRESS. Answers on UDP port 53 of the address from the
// Services and EndpointSlices of the API server at the URL SERVER; what is not of the cluster does not exist.
import { createSocket } from "node:dgram";
import process from "node:process";
import { follow, getter, type KubernetesObject } from "./follow.ts";
import { answer, readQuestion } from "./message.ts";
import { type NamedService, type NamedSlice, resolve } from "./names.ts";

interface Service extends KubernetesObject {
  readonly spec: { readonly clusterIP?: string };
}

interface EndpointSlice extends KubernetesObject {
  readonly metadata: KubernetesObject["metadata"] & { readonly labels?: Readonly<Record<string, string>> };
  readonly addressType: string;
  /** Null, where there is none. */
  readonly endpoints?:
    | readonly {
        readonly addresses: readonly string[];
        readonly hostname?: string;
        readonly conditions?: { readonly ready?: boolean };
      }[]
    | null;
}

const [directory = "", server = "", address = ""] = process.argv.slice(2);
const services = new Map<string, Service>();
const slices = new Map<string, EndpointSlice>();

function namedServices(): ReadonlyMap<string, NamedService> {
  const named = [...services.values()].map(({ metadata, spec }) => ({
    key: `${metadata.name}.${metadata.namespace}`,
    clusterIP: spec.clusterIP,
  }));
  return new Map(named.map((service) => [service.key, service]));
}

function namedSlices(): readonly NamedSlice[] {
  return [...slices.values()]
    .filter(({ addressType }) => addressType === "IPv4")
    .map(({ metadata, endpoints }) => ({
      service: `${metadata.labels?.["kubernetes.io/service-name"]}.${metadata.namespace}`,
      endpoints: (endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready !== false)
        .map(({ addresses, hostname }) => ({ addresses, hostname })),
    }));
}

const get = getter(directory, server);
const socket = createSocket("udp4");
socket.on("message", (message, { address: to, port }) => {
  const question = readQuestion(message);
  if (question === undefined) return;
  const addresses = resolve(question.name, namedServices(), namedSlices());
  socket.send(answer(message, addresses && (question.wantsAddresses ? addresses : [])), port, to);
});
socket.bind(53, address);
await Promise.all([
  follow(get, "/api/v1/services", services),
  follow(get, "/apis/discovery.k8s.io/v1/endpointslices", slices),
]);
