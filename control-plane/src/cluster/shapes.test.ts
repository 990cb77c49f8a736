import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { expect, test } from "vitest";
import { readMessage } from "../kubernetes/protobuf.ts";
import { readPod } from "./read-pod.ts";
import { podShape } from "./shapes.ts";

/** metadata of a Pod in protobuf: name, namespace, uid and annotations. */
function podInProtobuf(annotations: Readonly<Record<string, string>>): Buffer {
  const writer = new BinaryWriter();
  const field = (number: number) => writer.tag(number, WireType.LengthDelimited);
  field(1).fork();
  field(1).string("digits-1");
  field(3).string("models");
  field(5).string("d1");
  for (const [key, value] of Object.entries(annotations)) {
    field(12).fork();
    field(1).string(key);
    field(2).string(value);
    writer.join();
  }
  writer.join();
  return Buffer.from(writer.finish());
}

test("a pod in protobuf has every annotation that is read of one", () => {
  const bytes = podInProtobuf({
    "hedgerow.dev/drain": "7s",
    "hedgerow.dev/inbound-ports": "8080,9090",
    "hedgerow.dev/exclude-inbound-ports": "9090",
    "example.com/other": "x",
  });
  const pod = readPod(readMessage(bytes, 0, bytes.length, podShape));
  expect(pod).toMatchObject({ drainMs: 7000, captured: { only: [8080, 9090], except: [9090] } });
});
