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
          exclude: ["e2e/**", "**/*.kube.test.ts", "**/node_modules/**"],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["e2e/{src,test}/**/*.test.ts"],
          exclude: ["**/*.kube.test.ts", "**/node_modules/**"],
          // Each test runs a whole mesh and some of them measure: one at a time, after everything else.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          // Needs root and a built Kubernetes, so `npm test` leaves it out: npm run test:kubernetes.
          name: "kubernetes",
          include: ["*/{src,test}/**/*.kube.test.ts"],
          // Each file starts a cluster of its own; two at a time would fight for the same processors.
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
