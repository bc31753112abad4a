import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { Frame, NotFoundScreen } from "./frame/frame.tsx";
import {
  readEvalSearch,
  readExplorerSearch,
  readModelJobsSearch,
  readModelsSearch,
  readPlaygroundSearch,
  readRunSearch,
  readRunsSearch,
  readSettingsSearch,
  readWorkbenchSearch,
} from "./search.ts";

/** Every screen, its address, and the part of its state that lives there. Each is a chunk of its own. */
const rootRoute = createRootRoute({ component: Frame, notFoundComponent: NotFoundScreen });

const home = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  component: lazyRouteComponent(() => import("./home/home-screen.tsx"), "HomeScreen"),
});
const workbenches = createRoute({
  getParentRoute: () => rootRoute,
  path: "/workbenches",
  validateSearch: (search: Record<string, unknown>): { create?: boolean } =>
    search["create"] === true ? { create: true } : {},
  component: lazyRouteComponent(() => import("./workbenches/workbenches-screen.tsx"), "WorkbenchesScreen"),
});
const workbench = createRoute({
  getParentRoute: () => rootRoute,
  path: "/workbenches/$workbenchId",
  validateSearch: readWorkbenchSearch,
  component: lazyRouteComponent(() => import("./workbench/workbench-screen.tsx"), "WorkbenchScreen"),
});
const runs = createRoute({
  getParentRoute: () => rootRoute,
  path: "/runs",
  validateSearch: readRunsSearch,
  component: lazyRouteComponent(() => import("./runs/runs-screen.tsx"), "RunsScreen"),
});
const run = createRoute({
  getParentRoute: () => rootRoute,
  path: "/runs/$runId",
  validateSearch: readRunSearch,
  component: lazyRouteComponent(() => import("./run/run-screen.tsx"), "RunScreen"),
});
const evals = createRoute({
  getParentRoute: () => rootRoute,
  path: "/evals",
  component: lazyRouteComponent(() => import("./evals/evals-screen.tsx"), "EvalsScreen"),
});
const evaluation = createRoute({
  getParentRoute: () => rootRoute,
  path: "/evals/$runId",
  validateSearch: readEvalSearch,
  component: lazyRouteComponent(() => import("./evals/eval-screen.tsx"), "EvalScreen"),
});
const models = createRoute({
  getParentRoute: () => rootRoute,
  path: "/models",
  validateSearch: readModelsSearch,
  component: lazyRouteComponent(() => import("./models/library-screen.tsx"), "LibraryScreen"),
});
const playground = createRoute({
  getParentRoute: () => rootRoute,
  path: "/models/playground",
  validateSearch: readPlaygroundSearch,
  component: lazyRouteComponent(() => import("./models/playground-screen.tsx"), "PlaygroundScreen"),
});
const modelJobs = createRoute({
  getParentRoute: () => rootRoute,
  path: "/models/jobs",
  validateSearch: readModelJobsSearch,
  component: lazyRouteComponent(() => import("./models/jobs-screen.tsx"), "JobsScreen"),
});
const modelJob = createRoute({
  getParentRoute: () => rootRoute,
  path: "/models/jobs/$runId",
  component: lazyRouteComponent(() => import("./models/job-screen.tsx"), "JobScreen"),
});
const approvals = createRoute({
  getParentRoute: () => rootRoute,
  path: "/approvals",
  component: lazyRouteComponent(() => import("./approvals/approvals-screen.tsx"), "ApprovalsScreen"),
});
const egress = createRoute({
  getParentRoute: () => rootRoute,
  path: "/egress",
  validateSearch: (search: Record<string, unknown>): { workbenchId?: string } =>
    typeof search["workbenchId"] === "string" ? { workbenchId: search["workbenchId"] } : {},
  component: lazyRouteComponent(() => import("./egress/egress-screen.tsx"), "EgressScreen"),
});
const settings = createRoute({
  getParentRoute: () => rootRoute,
  path: "/settings",
  validateSearch: readSettingsSearch,
  component: lazyRouteComponent(() => import("./settings/settings-screen.tsx"), "SettingsScreen"),
});
const explorer = createRoute({
  getParentRoute: () => rootRoute,
  path: "/api",
  validateSearch: readExplorerSearch,
  component: lazyRouteComponent(() => import("./api-explorer/explorer-screen.tsx"), "ExplorerScreen"),
});
const gallery = createRoute({
  getParentRoute: () => rootRoute,
  path: "/gallery",
  component: lazyRouteComponent(() => import("./gallery/gallery-screen.tsx"), "GalleryScreen"),
});

export const router = createRouter({
  routeTree: rootRoute.addChildren([
    home,
    workbenches,
    workbench,
    runs,
    run,
    evals,
    evaluation,
    models,
    playground,
    modelJobs,
    modelJob,
    approvals,
    egress,
    settings,
    explorer,
    gallery,
  ]),
  defaultPreload: "intent",
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
