import { KubernetesError } from "./errors.ts";
import { readMessage, type Shape } from "./protobuf.ts";
import { type ListPage, readListPage } from "./watch-event.ts";

/** What stands before every object in protobuf (k8s.io/apimachinery, runtime/serializer/protobuf). */
const magic = Buffer.from("k8s\0");

/** For `Accept`: protobuf, or JSON from a server that knows no protobuf of the resource. */
export const protobufOrJson = "application/vnd.kubernetes.protobuf, application/json;q=0.5";

export function isProtobuf(answer: Buffer): boolean {
  return answer.subarray(0, magic.length).equals(magic);
}

/** Reads a page of a list of objects of that shape, which has their metadata. Throws KubernetesError BadAnswer. */
export function readProtobufPage(answer: Buffer, item: Shape): ListPage {
  // runtime.Unknown, whose `raw` is the list.
  const { list } = readMessage(answer, magic.length, answer.length, {
    2: {
      name: "list",
      type: "message",
      shape: {
        1: {
          name: "metadata",
          type: "message",
          shape: { 2: { name: "resourceVersion", type: "text" }, 3: { name: "continue", type: "text" } },
        },
        2: { name: "items", type: "messages", shape: item },
      },
    },
  });
  if (list === undefined) throw new KubernetesError(0, "BadAnswer", "answer is not Kubernetes' protobuf: no list");
  return readListPage(list);
}
