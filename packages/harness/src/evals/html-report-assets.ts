/** The page's own style and script; their hashes are what its content security policy allows. */
export const reportStyle = `
:root{color-scheme:light dark;--ink:#1d2026;--muted:#5b616e;--faint:#5f6573;--line:#dfe2e8;--surface:#fff;--canvas:#f4f5f8;--sunken:#f1f2f6;--accent:#3f51d0;--good:#146c43;--good-soft:#e2f5ea;--bad:#b3261e;--bad-soft:#fdeceb;--draft:#80560b;--draft-soft:#fbf1dc}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaf0;--muted:#aab0bd;--faint:#a0a6b4;--line:#31353f;--surface:#1b1e25;--canvas:#14161b;--sunken:#171a20;--accent:#9aa8ff;--good:#7fd6a5;--good-soft:#173526;--bad:#ff9d96;--bad-soft:#3b1d1c;--draft:#e9bf73;--draft-soft:#372b14}}
*{box-sizing:border-box}
body{margin:0;background:var(--canvas);color:var(--ink);font:14px/1.5 ui-sans-serif,system-ui,sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1120px;margin:0 auto;padding:28px 20px 64px}
h1{font-size:22px;line-height:1.3;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:15px;margin:0}
section{margin-top:28px}section>h2{margin-bottom:8px}p{margin:4px 0}
.faint{color:var(--faint)}.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin-top:18px}
.tile{background:var(--surface);border:1px solid var(--line);border-radius:8px;padding:10px 14px;display:flex;flex-direction:column}
.tile span{color:var(--muted);font-size:12px}.tile strong{font-size:20px;font-variant-numeric:tabular-nums}.tile small{color:var(--faint);min-height:18px}
.scroll{overflow-x:auto;background:var(--surface);border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;width:100%}th,td{padding:7px 12px;text-align:left;border-bottom:1px solid var(--line);white-space:nowrap;font-weight:400}
tbody tr:last-child>*{border-bottom:0}thead th{color:var(--muted);font-size:12px}tbody th{font-weight:600}.number{text-align:right;font-variant-numeric:tabular-nums}
.rate{vertical-align:-1px}.track{fill:var(--sunken)}.fill{fill:var(--accent)}.range{fill:var(--ink);opacity:.55}
.chip{display:inline-block;border-radius:5px;padding:0 7px;font-size:12px;line-height:20px;font-weight:600;background:var(--sunken);color:var(--muted);vertical-align:2px}
.chip.passed{background:var(--good-soft);color:var(--good)}.chip.failed,.chip.error{background:var(--bad-soft);color:var(--bad)}.chip.ungraded,.chip.not-run{background:var(--draft-soft);color:var(--draft)}
.notice{background:var(--bad-soft);color:var(--bad);border-radius:6px;padding:6px 10px;overflow-wrap:anywhere}
.bar{display:flex;flex-wrap:wrap;gap:10px;justify-content:space-between;align-items:center;margin-bottom:8px}
.filters button{text-transform:capitalize}.filters{display:flex;flex-wrap:wrap;gap:6px}
button,input{font:inherit;font-size:13px;color:inherit;background:var(--surface);border:1px solid var(--line);border-radius:6px;padding:3px 10px;min-height:28px}
button[aria-pressed=true]{background:var(--ink);color:var(--surface);border-color:var(--ink)}
:focus-visible{outline:2px solid var(--accent);outline-offset:1px}
.sample{background:var(--surface);border:1px solid var(--line);border-radius:8px;margin-bottom:6px}
.sample summary{display:flex;flex-wrap:wrap;gap:4px 10px;align-items:baseline;padding:8px 12px;cursor:pointer;list-style-position:inside}
.sample summary b{overflow-wrap:anywhere}.body{padding:4px 14px 14px;border-top:1px solid var(--line)}
.verdicts{list-style:none;margin:8px 0;padding:0;display:grid;gap:4px}.verdicts li{display:flex;flex-wrap:wrap;gap:2px 8px}.reason{overflow-wrap:anywhere;color:var(--muted)}
.texts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(320px,100%),1fr));gap:10px}
figure{margin:0;min-width:0}figcaption{color:var(--muted);font-size:12px;margin-bottom:2px}
pre{margin:0;background:var(--sunken);border:1px solid var(--line);border-radius:6px;padding:8px 10px;white-space:pre-wrap;overflow-wrap:anywhere;max-height:420px;overflow:auto;font:12px/1.5 ui-monospace,monospace}
code{font:12px ui-monospace,monospace}del{background:var(--bad-soft);color:var(--bad)}ins{background:var(--good-soft);color:var(--good);text-decoration:none}
[hidden]{display:none!important}
@media print{.filters{display:none}.sample{break-inside:avoid}}
`;

export const reportScript = `
(() => {
  const samples = [...document.querySelectorAll(".sample")];
  const buttons = [...document.querySelectorAll("[data-filter]")];
  const find = document.getElementById("find");
  const none = document.getElementById("none");
  let wanted = "all";
  const apply = () => {
    const text = find.value.trim().toLowerCase();
    let shown = 0;
    for (const sample of samples) {
      const fits = (wanted === "all" || sample.dataset.outcome === wanted) && sample.dataset.case.includes(text);
      sample.hidden = !fits;
      if (fits) shown += 1;
    }
    none.hidden = shown > 0;
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      wanted = button.dataset.filter;
      for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
      apply();
    });
  }
  find.addEventListener("input", apply);
})();
`;
