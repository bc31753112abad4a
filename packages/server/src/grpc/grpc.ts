import type { Mount } from "../http/serve-request.ts";
import type { GrpcParts, ServeGrpc } from "./serve.ts";

/** True for `/benchtop.v1.RunsService/RunsStart` and its like, and for health and reflection. */
export function isGrpcPath(path: string): boolean {
  return path.startsWith("/benchtop.v1.") || path.startsWith("/grpc.");
}

/** gRPC, gRPC-Web and Connect. What they need is loaded when the first request comes: most daemons never see one. */
export function grpcMount(parts: GrpcParts): Mount {
  let serving: Promise<ServeGrpc> | undefined;
  const load = async (): Promise<ServeGrpc> => {
    const { createServeGrpc } = await import("./serve.ts");
    return await createServeGrpc(parts);
  };
  return async (request, response, { requestId }) => {
    const serve = await (serving ??= load());
    await serve({ request, response, requestId });
  };
}
