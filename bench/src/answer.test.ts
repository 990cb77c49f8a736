import { describe, expect, test } from "vitest";
import { answer } from "./answer.ts";
import type { Bench } from "./bench.ts";
import { parseCommandLine } from "./command-line.ts";

const path: Bench = {
  name: "path",
  description: "a prediction, direct and through the mesh",
  run: async ({ quick, log }) => {
    log("warming up");
    return { rows: [{ way: "direct", "p50 ms": 0.5 }], json: { p50Ms: 0.5, samples: quick ? 10 : 1000 } };
  },
};
const broken: Bench = { ...path, name: "broken", run: () => Promise.reject(new Error("no mesh")) };
const benches = [path, broken];

async function said(...args: string[]) {
  const printed: string[] = [];
  const told: string[] = [];
  const status = await answer(
    parseCommandLine(args, benches),
    benches,
    {
      print: (text) => printed.push(text),
      tell: (line) => told.push(line),
    },
    new AbortController().signal,
  );
  return { status, printed: printed.join(""), told };
}

describe("npm run bench", () => {
  test("without a name lists what there is", async () => {
    expect(await said()).toEqual({
      status: 0,
      printed: `name    measures
path    a prediction, direct and through the mesh
broken  a prediction, direct and through the mesh
`,
      told: ["usage: npm run bench -- [NAME [--quick] [--json]]"],
    });
  });

  test("prints a table for people, and tells its progress apart from it", async () => {
    expect(await said("path")).toEqual({
      status: 0,
      printed: "way     p50 ms\ndirect   0.500\n",
      told: ["path: warming up"],
    });
  });

  test("with --json ends with one line for a machine", async () => {
    const { printed } = await said("path", "--json", "--quick");
    expect(printed.split("\n").at(-2)).toBe('{"bench":"path","quick":true,"p50Ms":0.5,"samples":10}');
  });

  test.each([
    [["nothing"], "no benchmark is called nothing; there are: path, broken"],
    [["path", "broken"], "name one benchmark"],
    [["--quick"], "name one benchmark"],
    [["path", "--fast"], "--fast"],
  ])("refuses %j", async (args, problem) => {
    const { status, printed, told } = await said(...args);
    expect({ status, printed }).toEqual({ status: 2, printed: "" });
    expect(told[0]).toContain(problem);
  });

  test("lets a failure through", async () => {
    await expect(said("broken")).rejects.toThrow("no mesh");
  });
});
