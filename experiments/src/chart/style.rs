//! Style sheets of charts.

/// Colours as variables, for a light and a dark scheme. The series are Okabe and Ito's colours; in the
/// dark scheme the dark ones among them are lighter.
pub const THEME: &str = "
:root{color-scheme:light dark;--paper:#fff;--ink:#1c2430;--muted:#5b6675;--rule:#d9dfe7;--track:#e6ebf1;
--s0:#0072b2;--s1:#e69f00;--s2:#009e73;--s3:#cc79a7;--s4:#56b4e9;--s5:#d55e00;--s6:#c9b800;--s7:#7a8594;--s8:#3a2a5e}
@media (prefers-color-scheme:dark){:root{--paper:#12161c;--ink:#e7ecf3;--muted:#9aa7b8;--rule:#2c3643;--track:#27303c;
--s0:#56b4e9;--s1:#e69f00;--s2:#2fc39a;--s3:#e59ac4;--s4:#8f9bff;--s5:#f0803c;--s6:#f0e442;--s7:#94a0b0;--s8:#c9b8f2}}
";

/// What charts look like; needs the variables of [`THEME`].
pub const STYLE: &str = "
.paper{fill:var(--paper)}
.chart text{font:11.5px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;fill:var(--ink);\
font-variant-numeric:tabular-nums}
text.heading{font:600 14px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;fill:var(--ink)}
.chart text.tick,.chart text.label{fill:var(--muted)}
.chart text.small{font-size:9.5px;fill:var(--muted)}
.chart text.inside{font-weight:600;paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
@media (max-width:520px){.chart text{font-size:12.8px}}
.c0{--c:var(--s0)}.c1{--c:var(--s1)}.c2{--c:var(--s2)}.c3{--c:var(--s3)}.c4{--c:var(--s4)}\
.c5{--c:var(--s5)}.c6{--c:var(--s6)}.c7{--c:var(--s7)}.c8{--c:var(--s8)}
.chart .grid{stroke:var(--rule);stroke-width:1}
.chart .axis{stroke:var(--muted);stroke-width:1}
.chart .line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.chart .line.c1{stroke-dasharray:7 3}.chart .line.c2{stroke-dasharray:2 3}.chart .line.c3{stroke-dasharray:8 3 2 3}\
.chart .line.c4{stroke-dasharray:4 2}.chart .line.c5{stroke-dasharray:1 3}
.chart .band{fill:var(--c);opacity:.18}
.chart .dot{fill:var(--c);opacity:.45}
.chart .mark{fill:var(--c);fill-opacity:.55;stroke:var(--c);stroke-width:.8}
.chart .star{fill:var(--paper);stroke:var(--ink);stroke-width:1.6}
.chart .front{fill:none;stroke:var(--ink);stroke-width:1.4;stroke-dasharray:4 3}
.chart .limit{stroke:var(--ink);stroke-width:1;stroke-dasharray:2 3}
.chart .track{fill:var(--track)}
.chart .bar{fill:var(--c)}
.chart .part{fill:var(--c);stroke:var(--paper);stroke-width:1}
.spark{fill:none;stroke:var(--s0);stroke-width:1.6}
";
