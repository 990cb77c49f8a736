// Pods that can't be in the mesh, and why.
import type { FieldPath } from "@hedgerow/manifest";
import type { InjectionContext } from "./context.ts";
import { INJECT_LABEL, OUR_CONTAINERS, OUR_VOLUMES, PROXY_PORTS, PROXY_UID } from "./names.ts";
import type { PodProblem } from "./problem.ts";
import { type Fields, fieldsOf, isFields, listOf } from "./shape.ts";

/** What a person does who wants the pod as it is. */
const OPT_OUT = `label the pod ${INJECT_LABEL}: "false" to run it outside the mesh`;

interface Placed {
  readonly path: FieldPath;
  readonly container: Fields;
}

/** Every reason not to inject a pod (without what the injector itself put into it). */
export function obstaclesOf(spec: Fields, context: InjectionContext): readonly PodProblem[] {
  const { placed, problems } = containersOf(spec);
  return [
    ...problems,
    ...podObstacles(spec, context),
    ...placed.flatMap((one) => containerObstacles(one, fieldsOf(spec["securityContext"]))),
    ...listOf(spec["volumes"]).flatMap((volume, index) => {
      const { name } = fieldsOf(volume);
      const message = "is the name of a volume of the proxy's: give yours another";
      return isOneOf(OUR_VOLUMES, name) ? [{ path: ["spec", "volumes", index, "name"], message }] : [];
    }),
  ];
}

function podObstacles(spec: Fields, context: InjectionContext): readonly PodProblem[] {
  const problems: PodProblem[] = [];
  const refuse = (path: FieldPath, message: string) => problems.push({ path: ["spec", ...path], message });
  if (spec["hostNetwork"] === true)
    refuse(["hostNetwork"], `must not be true: capture would redirect the connections of the whole node; ${OPT_OUT}`);
  for (const field of ["hostPID", "shareProcessNamespace"])
    if (spec[field] === true)
      refuse([field], `must not be true: other processes could take the proxy's keys from its memory; ${OPT_OUT}`);
  const windows = "must not be windows: the proxy runs on Linux";
  if (fieldsOf(spec["os"])["name"] === "windows") refuse(["os", "name"], `${windows}; ${OPT_OUT}`);
  if (fieldsOf(spec["nodeSelector"])["kubernetes.io/os"] === "windows")
    refuse(["nodeSelector", "kubernetes.io/os"], `${windows}; ${OPT_OUT}`);
  const clusterName = [context.enrollAddress, context.meshAddress].find((address) => /\.svc(\.|:|$)/.test(address));
  if (spec["dnsPolicy"] === "Default" && clusterName !== undefined)
    refuse(
      ["dnsPolicy"],
      `must not be Default: the proxy finds ${clusterName} by the cluster's DNS; leave it out, or ${OPT_OUT}`,
    );
  return problems;
}

function containerObstacles({ path, container }: Placed, podSecurity: Fields): readonly PodProblem[] {
  const problems: PodProblem[] = [];
  const refuse = (below: FieldPath, message: string) => problems.push({ path: [...path, ...below], message });
  if (isOneOf(OUR_CONTAINERS, container["name"])) refuse(["name"], "is the name of a container of the proxy's");
  const own = fieldsOf(container["securityContext"])["runAsUser"] ?? undefined;
  if ((own ?? podSecurity["runAsUser"]) === PROXY_UID)
    refuse(
      own === undefined ? [] : ["securityContext", "runAsUser"],
      `must not run as user ${PROXY_UID}: that is the proxy's, whose connections are not captured`,
    );
  for (const [index, port] of listOf(container["ports"]).map(fieldsOf).entries()) {
    const { containerPort, protocol } = port;
    if ((protocol ?? "TCP") === "TCP" && typeof containerPort === "number" && PROXY_PORTS.includes(containerPort))
      refuse(["ports", index, "containerPort"], `must not be ${containerPort}: it is the proxy's own`);
  }
  for (const [index, mount] of listOf(container["volumeMounts"]).map(fieldsOf).entries())
    if (isOneOf(OUR_VOLUMES, mount["name"]))
      refuse(
        ["volumeMounts", index, "name"],
        "must not be a volume of the proxy's: whoever has it has the pod's identity",
      );
  return problems;
}

function containersOf(spec: Fields): { readonly placed: readonly Placed[]; readonly problems: readonly PodProblem[] } {
  const placed: Placed[] = [];
  const problems: PodProblem[] = [];
  for (const field of ["initContainers", "containers"]) {
    const list = spec[field] ?? (field === "initContainers" ? [] : undefined);
    if (!Array.isArray(list)) {
      problems.push({ path: ["spec", field], message: "must be a list of containers" });
      continue;
    }
    for (const [index, container] of list.entries()) {
      const path = ["spec", field, index];
      if (!isFields(container)) problems.push({ path, message: "must be a container" });
      else if (typeof container["name"] !== "string")
        problems.push({ path: [...path, "name"], message: "must be a text" });
      else placed.push({ path, container });
    }
  }
  return { placed, problems };
}

function isOneOf(names: readonly string[], name: unknown): boolean {
  return typeof name === "string" && names.includes(name);
}
