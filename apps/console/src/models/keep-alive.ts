/** How long an idle model stays; `always` stands for no end. */
export const keepAliveOptions = [
  { value: "0", label: "Leaves at once" },
  { value: "60", label: "1 minute" },
  { value: "300", label: "5 minutes" },
  { value: "1800", label: "30 minutes" },
  { value: "3600", label: "1 hour" },
  { value: "always", label: "Until it is unloaded" },
] as const;
