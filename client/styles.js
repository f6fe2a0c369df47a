/*
 * styles.js: the widget's own look, for every theme to start from.
 *
 * Inherits the page's font; colours are by what they mean, each a variable.
 * They follow color-scheme, so that a page that is always light says so in one
 * line.  Whatever moves does so under prefers-reduced-motion: no-preference;
 * colour never stands alone, an icon and a word say the same.
 */
export default `
:host{display:block;color-scheme:light dark;
--run:var(--sp-color-running,light-dark(#2456d6,#8fb0ff));--ok:var(--sp-color-ok,light-dark(#047857,#3ecf8e));
--bad:var(--sp-color-error,light-dark(#be123c,#fb8199));--warn:var(--sp-color-warn,light-dark(#8a4b08,#f3bb5c));
--warn-back:var(--sp-color-warn-back,light-dark(#fdf3e0,#372a11));
--text:var(--sp-color-text,light-dark(#14212b,#e6edf0));--quiet:var(--sp-color-quiet,light-dark(#52616d,#9aabb5));
--back:var(--sp-color-back,light-dark(#fff,#151f25));--line:var(--sp-color-line,light-dark(#dfe5e9,#2d3b43));
--track:var(--sp-color-track,light-dark(#e3e9ec,#2a3840));--button:var(--sp-color-button,var(--run));--tone:var(--quiet)}
:host([hidden]),[hidden]{display:none!important}
*{box-sizing:border-box;margin:0;padding:0;overflow-wrap:anywhere}
[part~=root]{padding:var(--sp-padding,1.25rem);border:1px solid var(--line);border-radius:var(--sp-radius,.75rem);background:var(--back);color:var(--text);line-height:1.5;font-variant-numeric:tabular-nums}
[part~=processing]{--tone:var(--run)}[part~=completed]{--tone:var(--ok)}[part~=failed]{--tone:var(--bad)}[part~=paused]{--tone:var(--warn)}[part~=cancelled],[part~=skipped],[part~=pending]{--tone:var(--quiet)}
header,[part=figures],[part=stats],[part=actions],[part=idle]{display:flex;flex-wrap:wrap;align-items:center;gap:.25rem .75rem}
[part=titles]{flex:1 1 10rem;min-width:0}
h2{font-size:1.125em;line-height:1.3}
[part=status]{color:var(--tone);font-weight:500}
svg{width:1em;height:1em;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
[part=icon]{width:1.5em;height:1.5em;color:var(--tone)}
button{padding:.4em .9em;border:1px solid var(--button);border-radius:.5em;background:var(--button);color:var(--back);font:inherit;font-weight:500;cursor:pointer}
[part~=cancel],[part~=retry],[part~=toggle]{background:none;color:var(--button)}
[aria-disabled]{opacity:.65;cursor:progress}
a{color:var(--button)}
:focus-visible{outline:2px solid var(--sp-color-focus,var(--button));outline-offset:2px}
[part=connection],[part=problem],[part=error],[part=stalled]{color:var(--bad)}
[part=connection],[part=stalled]{padding:.1em .6em;border-radius:.5em;background:var(--warn-back);color:var(--warn);font-weight:500}
[part=connection],[part=progress],[part=idle],[part=problem],[part=refusal]{margin-top:.75rem}
[part=overall]{flex-basis:100%}
[part=message],[part=overall],[part=stats],[part=counts],[part=last],[part=refusal],li{color:var(--quiet);font-size:.875em}
[part=percent]{font-size:1.75em;font-weight:650;line-height:1.2}
[part=remaining]{margin-inline-start:auto}
[part=stats]{margin-top:.5rem}
[part=stats]>:not([hidden])~:not([hidden])::before{content:"•";margin-inline-end:.75rem;opacity:.6}
[part=errors],[part=account-error]{color:var(--bad)}
[part=sparkline]{width:5em;height:1.25em;color:var(--run);stroke-width:1.5}[part=sparkline-path]{vector-effect:non-scaling-stroke}
[part~=track],[part=mini-track]{position:relative;overflow:hidden;height:var(--sp-height,.75rem);margin-top:.4rem;border-radius:1rem;background:var(--track)}
[part=mini-track]{grid-column:2/-1;height:.25rem;margin:.2rem 0}
[part=indicator],[part=mini-indicator]{width:33%;height:100%;border-radius:inherit;background:var(--tone)}
[part=indicator]::after{content:"";position:absolute;inset-block:0;width:2px;margin-inline-start:-2px;background:var(--sp-color-marker,none)}
ul{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,15rem),1fr));gap:.75rem 1.5rem;margin-top:1rem;list-style:none}
li{display:grid;grid-template-columns:auto 1fr auto;gap:0 .5rem;align-content:start;align-items:center}
[part=account-icon]{color:var(--tone)}
[part=account-text]{min-width:0}
[part=account-name]{color:var(--text);font-weight:500}
[part=account-email]{display:block;max-width:25ch;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
[part=account-eta]{margin-inline-start:.5rem}
[part=account-error]{grid-column:2/-1}
[part=account-state],[part=announcement]{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
[part~=disconnected] :is([part=indicator],[part=mini-indicator],svg){filter:grayscale(.8);opacity:.7}
@media(prefers-reduced-motion:no-preference){
[part=indicator]{transition:width .5s ease-out}[part=mini-indicator]{transition:width .3s ease-out}
[part~=processing]:not([part~=disconnected])>*>[part=icon],li[part~=processing]>svg{animation:turn 1.4s linear infinite}
[part~=processing][part~=indeterminate] :is([part=indicator]),li[part~=indeterminate] [part=mini-indicator]{animation:wander 2.4s ease-in-out infinite alternate}
}
@media(prefers-reduced-motion){[part~=processing][part~=indeterminate] [part=indicator]{animation:breathe 3s steps(4) infinite alternate}}
@keyframes turn{to{rotate:1turn}}
@keyframes wander{to{margin-inline-start:67%}}
@keyframes breathe{to{opacity:.45}}
@media(forced-colors:active){[part~=track],[part=mini-track]{border:1px solid}[part=indicator],[part=mini-indicator]{forced-color-adjust:none;background:Highlight}}
`
