"""How the studio looks: a few rules over the theme's own colours, so that light and dark both hold."""

CSS = """
.gradio-container { width: 100% !important; min-width: 0 !important; max-width: 1240px !important; box-sizing: border-box; }
.gradio-container main { padding: 0 8px !important; min-width: 0 !important; }
.gradio-container .html-container { padding: 0 !important; }
.gradio-container input[role="combobox"] { text-overflow: ellipsis; margin-right: 28px !important; }
.dark { --color-accent: var(--primary-400); }
.wr-title { font-size: 1.4rem; font-weight: 600; margin: .6rem 0 .2rem; }
.wr-card { border: 1px solid var(--border-color-primary); border-radius: 8px; padding: 12px 16px; margin-bottom: 10px;
  color: var(--body-text-color); background: var(--background-fill-primary); }
.wr-card h3 { font-size: 1rem; font-weight: 600; margin: 0 0 .5rem; }
.wr-text { white-space: pre-wrap; overflow-wrap: anywhere;
  font-family: Georgia, 'Times New Roman', serif; font-size: 1.05rem; line-height: 1.6; }
.wr-prompt { color: var(--body-text-color-subdued); }
.wr-text mark { background: #ffd98a; color: #1c1400; border-radius: 2px; padding: 0 1px; text-decoration: underline; }
.wr-text mark .wr-prompt { color: inherit; }
.wr-beside { flex-wrap: wrap !important; }
.wr-beside > * { flex: 1 1 280px !important; min-width: min(280px, 100%) !important; }
.wr-beside > :nth-child(2):not(:has(.wr-card, .wr-note)) { display: none !important; }
.wr-note { color: var(--body-text-color-subdued); font-size: .9rem; margin: .6rem 0 0; }
.wr-note a { color: var(--link-text-color); text-decoration: underline; }
.wr-number { color: var(--link-text-color); font-family: system-ui, sans-serif; font-size: .85em; }
.wr-state progress { width: 100%; }
.wr-card progress { width: 100%; accent-color: var(--color-accent); }
.wr-failed { color: var(--error-text-color, #b00020); }
.wr-charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); gap: 12px; margin: .6rem 0; }
.wr-curve { margin: 0; }
.wr-curve figcaption { font-size: .85rem; }
.wr-curve svg { width: 100%; height: auto; }
.wr-curve path { fill: none; stroke: var(--color-accent); stroke-width: 1.6; vector-effect: non-scaling-stroke; }
.wr-curve line { stroke: var(--border-color-primary); stroke-width: 1; }
.wr-curve text { fill: var(--body-text-color-subdued); font-size: 11px; text-anchor: end; }
.wr-passage { border-top: 1px solid var(--border-color-primary); padding: 6px 0; }
.wr-passage summary { cursor: pointer; min-height: 28px; padding: 4px 0; }
.wr-passage pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .8rem; }
.wr-frame { width: 100%; height: 82vh; border: 1px solid var(--border-color-primary); border-radius: 8px; background: Canvas; }
:focus-visible { outline: 2px solid var(--color-accent) !important; outline-offset: 2px; }
"""

NAMING = """<script>
new MutationObserver(() => {
  for (const box of document.querySelectorAll('.upload-container[aria-label]'))
    if (box.textContent.trim()) box.removeAttribute('aria-label');
  for (const inner of document.querySelectorAll('button button.upload-container:not([inert])')) {
    const outer = inner.parentElement.closest('button');
    inner.inert = true;
    outer.ariaLabel = outer.title = 'Upload more';
    outer.addEventListener('click', event => { if (!inner.contains(event.target)) inner.click(); });
  }
}).observe(document, { subtree: true, childList: true });
</script>"""
"""Gradio's upload boxes, mended: one is called by the words that are seen in it, not by others that whoever speaks to the page
cannot know (WCAG 2.5.3); and where a button stands in a button, the outer one alone is reached and does what the inner does (4.1.2)."""

HEAD = f'<meta name="color-scheme" content="light dark"><meta name="referrer" content="same-origin">{NAMING}'
