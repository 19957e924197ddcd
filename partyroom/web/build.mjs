// Bundles src/ into a folder of files with hashed names and writes the index.html that names them.
// `node build.mjs [FOLDER]`; build.py runs it, and so may anyone who works on the page.

import { build } from "esbuild";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "dist"));

const shared = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  metafile: true,
  outdir: out,
  entryNames: "[name]-[hash]",
  target: ["chrome109", "firefox115", "safari16.4"],
  legalComments: "none",
  logLevel: "warning",
};

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const results = await Promise.all([
  build({ ...shared, entryPoints: ["src/main.ts", "src/style.css"], format: "esm" }),
  build({ ...shared, entryPoints: ["src/theme.ts"], format: "iife" }),
]);
// The editor of shared texts in notebooks: no part of the page, and not served with it.
await build({ ...shared, entryPoints: ["src/widgets/editor.ts"], format: "esm", entryNames: "widgets/[name]" });

const names = {};
for (const { metafile } of results) {
  for (const [path, { entryPoint }] of Object.entries(metafile.outputs)) {
    if (entryPoint) names[basename(entryPoint)] = basename(relative(here, path));
  }
}

const page = await readFile(join(here, "src", "index.html"), "utf8");
const filled = page.replace(/%([\w.]+\.(?:ts|css))%/g, (_, entry) => {
  if (!names[entry]) throw new Error(`src/index.html names ${entry}, which is no entry point`);
  return names[entry];
});
await writeFile(join(out, "index.html"), filled);
await copyFile(join(here, "src", "favicon.svg"), join(out, "favicon.svg"));
