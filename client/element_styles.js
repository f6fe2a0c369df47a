/*
 * element_styles.js: the widget's own look, for every theme to start from.
 *
 * Inherits the page's font; colours are by what they mean, each a variable.
 * They follow color-scheme, so that a page that is always light says so in one
 * line.  Colour never stands alone, an icon and a word say the same.  What moves
 * is in element_late_styles.js.
 */
export const styles = `
:host{display:block;color-scheme:light dark;
--run:var(--sp-color-running,light-dark(#2456d6,#8fb0ff));--ok:var(--sp-color-ok,light-dark(#047857,#3ecf8e));
--bad:var(--sp-color-error,light-dark(#be123c,#fb8199));--warn:var(--sp-color-warn,light-dark(#8a4b08,#f3bb5c));
--back:var(--sp-color-back,Canvas);--text:var(--sp-color-text,CanvasText);
--quiet:var(--sp-color-quiet,color-mix(in srgb,var(--text) 70%,var(--back)));
--line:var(--sp-color-line,color-mix(in srgb,var(--text) 15%,var(--back)));
--track:var(--sp-color-track,var(--line));--button:var(--sp-color-button,var(--run));--tone:var(--quiet)}
:host([hidden]),[hidden]{display:none!important}
*{margin:0;padding:0;overflow-wrap:anywhere}
[part~=root]{padding:var(--sp-padding,1.25rem);border:1px solid var(--line);border-radius:var(--sp-radius,.75rem);background:var(--back);color:var(--text);line-height:1.5;font-variant-numeric:tabular-nums}
[part~=processing]{--tone:var(--run)}[part~=completed]{--tone:var(--ok)}[part~=failed]{--tone:var(--bad)}[part~=paused]{--tone:var(--warn)}
header,[part=figures],[part=stats],[part=actions]{display:flex;flex-wrap:wrap;align-items:center;gap:.25rem .75rem}
[part=titles]{flex:1 10rem}
h2{font-size:1.125em}
[part~=status]{color:var(--tone);font-weight:500}
svg{width:1em;height:1em;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round}
[part=icon]{width:1.5em;height:1.5em;color:var(--tone)}
:focus-visible{outline:2px solid var(--sp-color-focus,var(--button));outline-offset:2px}
[part=error]{color:var(--bad)}
[part=progress],[part=error]{margin-top:.75rem}
[part~=overall]{flex-basis:100%}
[part=message],[part~=overall],[part=stats],[part=counts]{color:var(--quiet);font-size:.875em}
[part=percent]{font-size:1.75em;font-weight:650}
[part~=bar]{overflow:hidden;height:var(--sp-height,.75rem);margin-top:.4rem;border-radius:1rem;background:var(--track)}
[part=indicator]{width:33%;height:100%;border-radius:inherit;background:var(--tone)}
@media(forced-colors:active){[part$=bar]{border:1px solid}[part$=indicator]{forced-color-adjust:none;background:Highlight}}
`
