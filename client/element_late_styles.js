/*
 * element_late_styles.js: what moves in the widget, and what the first drawing cannot
 * have: notices, and the look of a lost connection.
 *
 * At rest by default; motion is for those who have not asked for less of it.
 * For them a bar without a percentage only breathes: frozen it would look stuck.
 */
export const lateStyles = `
[part=connection],[part=problem],[part=stalled]{margin-top:.75rem;padding:.1em .6em;border-radius:.5em;background:var(--sp-color-warn-back,color-mix(in srgb,var(--warn) 10%,var(--back)));color:var(--warn);font-weight:500}
[part=problem]{color:var(--bad)}
[part=stalled]{margin:0}
[part=stats]{margin-top:.5rem}
[part=announcement]{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
[part~=disconnected] :is([part$=indicator],svg){filter:grayscale(.8);opacity:.7}
@media(prefers-reduced-motion:no-preference){
[part=indicator]{transition:width .5s ease-out}
[part~=processing]:not([part~=disconnected])>*>[part=icon]{animation:turn 1.4s linear infinite}
[part~=processing][part~=indeterminate] [part=indicator]{animation:wander 2.4s ease-in-out infinite alternate}
}
@media(prefers-reduced-motion){[part~=processing][part~=indeterminate] [part=indicator]{animation:breathe 3s steps(4) infinite alternate}}
@keyframes turn{to{rotate:1turn}}
@keyframes wander{to{margin-inline-start:67%}}
@keyframes breathe{to{opacity:.45}}
[part=indicator]::after{content:"";float:inline-end;width:2px;height:100%;background:var(--sp-color-marker,none)}
`
