/** For the screen, by day and by night, and for paper. */
export const style = `
:root { color-scheme: light dark; --ink: #1c2329; --quiet: #56626d; --line: #d5dbe1; --paper: #fff; --shade: #f4f6f8;
  --good: #14653a; --good-shade: #e5f4ea; --bad: #a11a1a; --bad-shade: #fdeaea; --doubt: #7a5200; --doubt-shade: #fdf3dc; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ed; --quiet: #a2aeb9; --line: #39434c; --paper: #14191e; --shade: #1d242b;
  --good: #7fd8a2; --good-shade: #14301f; --bad: #ff9d97; --bad-shade: #3d1616; --doubt: #f2c766; --doubt-shade: #362a0d; } }
* { box-sizing: border-box; }
html { background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
body { margin: 0 auto; max-width: 66rem; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; overflow-wrap: anywhere; }
p, ul, ol { margin: .5rem 0; max-width: 48rem; }
.verdict p { max-width: none; }
li { margin: .2rem 0; }
.quiet { color: var(--quiet); }
.verdict { border-left: .4rem solid; border-radius: .25rem; margin: 1.5rem 0; padding: 1rem 1.25rem; }
.verdict p { margin: .25rem 0; }
.verdict strong { font-size: 1.2rem; }
.verdict.good, .verdict.bad, .verdict.doubt { color: var(--ink); }
.verdict.good { background: var(--good-shade); border-color: var(--good); }
.verdict.bad { background: var(--bad-shade); border-color: var(--bad); }
.verdict.doubt { background: var(--doubt-shade); border-color: var(--doubt); }
.good strong, td.good { color: var(--good); } .bad strong, td.bad { color: var(--bad); } .doubt strong, td.doubt { color: var(--doubt); }
td.good, td.bad, td.doubt { font-weight: 600; }
dl.figures { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); margin: 1.5rem 0; }
dl.figures div { background: var(--shade); border-radius: .35rem; padding: .75rem 1rem; display: flex; flex-direction: column-reverse; justify-content: flex-end; }
dl.figures dt { color: var(--quiet); font-size: .875rem; line-height: 1.35; }
dl.figures dd { font-size: 1.6rem; font-variant-numeric: tabular-nums; font-weight: 600; line-height: 1.3; margin: 0; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9rem; line-height: 1.45; width: 100%; }
caption { color: var(--quiet); font-size: .9rem; padding-bottom: .4rem; text-align: left; }
th, td { border-bottom: 1px solid var(--line); overflow-wrap: break-word; padding: .45rem 1rem .45rem 0; text-align: left; vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
thead th { border-bottom: 2px solid var(--line); color: var(--quiet); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 600; }
td.number, th.number { width: 1%; font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
time, .whole { white-space: nowrap; }
code, pre { background: var(--shade); border-radius: .25rem; font: .85em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { overflow-wrap: anywhere; padding: .1em .3em; }
pre { overflow-x: auto; padding: .75rem 1rem; white-space: pre-wrap; }
ul.plain { list-style: none; margin: 0; padding: 0; } ul.plain code { overflow-wrap: normal; white-space: nowrap; }
td { min-width: 5rem; } td.number { min-width: 0; }
footer { border-top: 1px solid var(--line); color: var(--quiet); font-size: .875rem; margin-top: 3rem; padding-top: 1rem; }
@media print {
  @page { margin: 18mm 15mm; }
  :root { color-scheme: light; --ink: #000; --quiet: #444; --line: #bbb; --paper: #fff; --shade: #f4f4f4; --good: #0d5c31; --good-shade: #fff;
    --bad: #9b1111; --bad-shade: #fff; --doubt: #6b4700; --doubt-shade: #fff; }
  html { font-size: 10.5pt; } body { max-width: none; padding: 0; }
  .verdict { border: 1pt solid; border-left-width: 4pt; } .scroll { overflow: visible; }
  table { font-size: 8.5pt; } time { white-space: normal; } th, td { padding-right: .6rem; }
  h2, h3, caption { break-after: avoid; } tr, .verdict, dl.figures { break-inside: avoid; } thead { display: table-header-group; }
  dl.figures { grid-template-columns: repeat(5, 1fr); } dl.figures div { border: 1pt solid var(--line); padding: .4rem .5rem; }
}
`;
