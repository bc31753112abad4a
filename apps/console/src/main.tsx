import { CSPProvider } from "@base-ui/react/csp-provider";
import { Tooltip } from "@base-ui/react/tooltip";
import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "./api/queries.ts";
import { followSystemAppearance } from "./settings/appearance.ts";
import { Entrance } from "./sign-in/entrance.tsx";
import { takeArrival } from "./sign-in/arrival.ts";

const arrival = takeArrival();
followSystemAppearance();

const root = document.querySelector("#root");
if (root === null) throw new Error("The page has no #root element.");
createRoot(root).render(
  <StrictMode>
    <CSPProvider disableStyleElements>
      <QueryClientProvider client={queryClient}>
        <Tooltip.Provider delay={450} closeDelay={60}>
          <Entrance arrival={arrival} />
        </Tooltip.Provider>
      </QueryClientProvider>
    </CSPProvider>
  </StrictMode>,
);
