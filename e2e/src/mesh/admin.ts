import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AdminService, type ObjectStatus } from "@hedgerow/proto/hedgerow/admin/v1/admin";

export type AdminClient = Client<typeof AdminService>;

export function adminClient(socketPath: string): AdminClient {
  const transport = createConnectTransport({
    baseUrl: "http://localhost",
    httpVersion: "1.1",
    nodeOptions: { socketPath },
  });
  return createClient(AdminService, transport);
}

/** The status of one object, as in HTTPRoute/models/digits. */
export async function objectStatus(admin: AdminClient, key: string): Promise<ObjectStatus | undefined> {
  const { objects } = await admin.getStatus({});
  return objects.find(({ kind, namespace, name }) => `${kind}/${namespace}/${name}` === key);
}

/** Every proxy that needs the object runs its current content. */
export function isProgrammed(status: ObjectStatus | undefined): boolean {
  return status?.conditions.find(({ type }) => type === "Programmed")?.status === "True";
}
