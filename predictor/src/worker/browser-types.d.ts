// onnxruntime-common's types name these of the browser's. Nothing here has them.
type WebGLRenderingContext = never;
type WebGLTexture = never;
type ImageData = never;
type ImageBitmap = never;
type HTMLImageElement = never;
