"""The page's style sheet. The variables named as in `plots.COLOURS` colour the charts too, lighter on a dark ground."""

CSS = """
:root {
  color-scheme: light dark;
  --ground: #f5f6f8; --panel: #ffffff; --line: #e1e5ea; --text: #1b222c; --quiet: #5b6573;
  --accent: #0b62a8; --alarm: #a61b1b; --alarm-ground: #fdecec;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #11151a; --panel: #191f26; --line: #2c343e; --text: #e6eaef; --quiet: #9aa5b3;
    --accent: #6fb6f0; --alarm: #ffb4ab; --alarm-ground: #4a1616;
    --fine: #56b4e9; --coarse: #f0883e; --summed: #3fc79a; --total: #d68fcf; --ink: #aab4c0; --grid: #2c343e;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 72rem; margin: 0 auto; padding: 2rem 1.25rem 3rem; }
h1 { margin: 0; font-size: 2.1rem; line-height: 1.15; letter-spacing: -0.02em; }
h2 { margin: 2.6rem 0 0.8rem; font-size: 1.2rem; }
p { margin: 0.4rem 0; }
.quiet { color: var(--quiet); }
.alarm {
  margin: 0 0 1.5rem; padding: 0.9rem 1.1rem; border: 2px solid; border-radius: 10px;
  background: var(--alarm-ground); color: var(--alarm); font-weight: 700;
}
.alarm.last { margin: 2.6rem 0 0; }
.cards { display: grid; gap: 0.8rem; grid-template-columns: repeat(6, 1fr); margin: 0; }
.cards.main { grid-template-columns: repeat(4, 1fr); margin: 1.6rem 0 0.8rem; }
.card, figure, .scroll, pre { border: 1px solid var(--line); border-radius: 10px; background: var(--panel); }
.card { padding: 0.8rem 1rem; }
.card dt { color: var(--quiet); font-size: 0.86rem; }
.card dd { margin: 0; }
.value { font-size: 1.2rem; font-weight: 650; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.main .value { font-size: 2.1rem; line-height: 1.25; color: var(--accent); letter-spacing: -0.01em; }
.main .word .value { font-size: 1.5rem; line-height: 1.75; }
.unit { color: var(--quiet); font-size: 0.86rem; font-weight: 400; letter-spacing: 0; }
.note { color: var(--quiet); font-size: 0.8rem; }
.charts, .pair, .tables {
  display: grid; gap: 0.8rem; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr));
}
.charts, .tables { margin-top: 0.8rem; }
.matrix { margin-top: 0.8rem; overflow-x: auto; }
.matrix svg { min-width: 48rem; }
figure { margin: 0; padding: 0.9rem 1rem; }
figcaption { font-weight: 650; }
figcaption span { display: block; color: var(--quiet); font-size: 0.86rem; font-weight: 400; }
svg { display: block; width: 100%; height: auto; margin-top: 0.5rem; }
svg text { font-family: inherit !important; }
.scroll { max-height: 34rem; overflow: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { padding: 0.4rem 0.8rem; border-top: 1px solid var(--line); text-align: left; vertical-align: top; }
tbody tr:first-child > * { border-top: 0; }
th { font-weight: 400; color: var(--quiet); }
td { overflow-wrap: anywhere; }
.epochs th, .epochs td { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.epochs thead th {
  position: sticky; top: 0; background: var(--panel); white-space: normal; vertical-align: bottom;
  box-shadow: inset 0 -1px var(--line);
}
.pair th { width: 13rem; }
.tables { align-items: start; }
.tables .scroll { max-height: none; }
.tables thead th { border: 0; box-shadow: inset 0 -1px var(--line); }
caption { padding: 0.9rem 1rem 0.4rem; text-align: left; font-weight: 650; }
pre {
  margin: 0; padding: 0.9rem 1rem;
  font: 0.86rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; user-select: all;
}
@media (max-width: 66rem) { .cards { grid-template-columns: repeat(3, 1fr); } }
@media (max-width: 40rem) {
  main { padding: 1.25rem 0.8rem 2rem; }
  .cards { grid-template-columns: 1fr 1fr; }
  .cards.main { grid-template-columns: 1fr 1fr; }
  .main .value { font-size: 1.7rem; }
  .main .word .value { font-size: 1.25rem; line-height: 1.7; }
  figure { padding: 0.8rem 0.6rem; }
  .pair th { width: 45%; }
}
@media print { .scroll { max-height: none; overflow: visible; } }
"""
