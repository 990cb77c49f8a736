import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";

interface ClientCertificate {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** True where a GET is answered with 200; rejects where there is no answer in 5 s. */
export function answersOk(url: string, credentials?: ClientCertificate): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const options = { timeout: 5_000, agent: false, ...credentials };
    const request = (url.startsWith("https:") ? httpsRequest : httpRequest)(url, options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once("timeout", () => request.destroy(new Error(`no answer from ${url} in 5 s`)));
    request.once("error", reject);
    request.end();
  });
}
