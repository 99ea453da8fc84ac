// Bundles src/ into the folder named on the command line: two files with their hash in their name, and manifest.json,
// which tells the bridge what they are called.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";

const target = process.argv[2] ?? "dist";
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });

const built = await build({
  entryPoints: { page: "src/main.js", style: "src/style.css" },
  outdir: target,
  entryNames: "[name]-[hash]",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});

const made = Object.keys(built.metafile.outputs).map((path) => basename(path));
const manifest = {
  script: made.find((name) => name.endsWith(".js")),
  style: made.find((name) => name.endsWith(".css")),
};
writeFileSync(join(target, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
