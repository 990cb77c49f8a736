import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["*/{src,test}/**/*.test.ts", "scripts/**/*.test.ts"],
    // onnxruntime has telemetry; our users have residency rules.
    env: { ORT_DISABLE_TELEMETRY: "1" },
    testTimeout: 30_000,
  },
});
