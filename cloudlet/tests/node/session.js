// A session of the official Node SDK over https, which prints its results as one JSON object.
const { Readable } = require("stream");
const cloudinary = require("cloudinary").v2;

const picture = Buffer.from(process.argv[2], "base64");

const streamed = (open, options, data) =>
  new Promise((resolve, reject) => {
    const sink = open(options, (error, result) => (error ? reject(error) : resolve(result)));
    Readable.from([data]).pipe(sink);
  });

const refused = (promise) => promise.then(() => null, (problem) => (problem.error || problem).message);

async function main() {
  const { uploader, api, url, search } = cloudinary;
  const seen = {};
  seen.uploaded = await uploader.upload(`data:image/png;base64,${picture.toString("base64")}`, {
    public_id: "node/ü one", tags: ["node", "b"], context: { alt: "a|b=c" }, eager: [{ width: 5, crop: "scale" }],
  });
  seen.streamed = await streamed(uploader.upload_stream, { public_id: "node/streamed", type: "authenticated" }, picture);
  const large = Buffer.alloc(6 * 1024 * 1024 + 17, "x");
  seen.chunked = await streamed(
    uploader.upload_chunked_stream, { public_id: "node/large.bin", resource_type: "raw", chunk_size: 5 * 1024 * 1024 }, large);
  seen.explicit = await uploader.explicit("node/ü one", { type: "upload", tags: "changed" });
  seen.renamed = await uploader.rename("node/ü one", "node/two");
  seen.listed = await api.resources({ type: "upload", prefix: "node/", tags: true });
  seen.shown = await api.resource("node/two", { colors: true });
  seen.updated = await api.update("node/two", { tags: "x,y" });
  seen.found = await search.expression("tags=x").with_field("tags").execute();
  seen.folders = await api.sub_folders("node");
  seen.zip = await uploader.create_zip({ public_ids: ["node/two"], target_public_id: "node/zip" });
  seen.wrong = await refused(uploader.upload(`data:image/png;base64,${picture.toString("base64")}`, { api_secret: "wrong" }));
  seen.url = url("node/streamed", { type: "authenticated", sign_url: true, format: "png", secure: true });
  seen.status = (await fetch(seen.url)).status;
  seen.private = cloudinary.utils.private_download_url("node/streamed", "png", { type: "authenticated" });
  seen.privateStatus = (await fetch(seen.private)).status;
  seen.destroyed = await uploader.destroy("node/two", { invalidate: true });
  seen.deleted = await api.delete_resources_by_prefix("node/", { resource_type: "raw" });
  process.stdout.write(JSON.stringify(seen));
}

main().catch((problem) => {
  process.stderr.write(`${JSON.stringify(problem)} ${problem.stack || ""}\n`);
  process.exit(1);
});
