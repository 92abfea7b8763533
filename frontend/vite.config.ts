import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const SOURCES = ["index.html", "package-lock.json", "package.json", "src", "tsconfig.json", "vite.config.ts"];

/** Every file below a path, relative to this folder, with forward slashes. */
function files(path: string): string[] {
  if (!statSync(join(HERE, path)).isDirectory()) return [path];
  return readdirSync(join(HERE, path)).flatMap((name) => files(`${path}/${name}`));
}

/** Writes the digest of the sources beside the build, so that a test can tell a stale build. */
function digest(): Plugin {
  return {
    name: "digest",
    generateBundle() {
      const hash = createHash("sha256");
      for (const name of SOURCES.flatMap(files).sort()) {
        hash.update(`${name}\0`).update(readFileSync(join(HERE, name))).update("\0");
      }
      const source = `${JSON.stringify({ sources: hash.digest("hex") })}\n`;
      this.emitFile({ type: "asset", fileName: "build.json", source });
    },
  };
}

export default defineConfig({
  plugins: [digest()],
  build: {
    outDir: "../src/lungflag/station/static",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  server: { proxy: { "/api": "http://127.0.0.1:8081" } },
});
