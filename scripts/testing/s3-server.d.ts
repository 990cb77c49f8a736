export interface TestS3Server extends AsyncDisposable {
  /** http://HOST:PORT */
  readonly endpoint: string;
  readonly region: string;
  /** Of the owner of everything in it. */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A server that knows versions and object lock, without a bucket. Rejects where it was not built. */
export function startS3Server(): Promise<TestS3Server>;
