import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // onnxruntime has telemetry; our users have residency rules.
    env: { ORT_DISABLE_TELEMETRY: "1" },
    testTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["*/{src,test}/**/*.test.ts", "scripts/**/*.test.ts"],
          exclude: ["e2e/**", "**/node_modules/**"],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["e2e/{src,test}/**/*.test.ts"],
          // Each test runs a whole mesh and some of them measure: one at a time, after everything else.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
