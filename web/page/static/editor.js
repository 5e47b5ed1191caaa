// The script's text with numbered lines; faults are marked at their lines and listed below.
import { button, h, plural } from '/page/dom.js'

const LINES_SHOWN = 4000
const FINDINGS_SHOWN = 12

/** Findings of a kind, each behind its place; null if there are none. */
export function findingsList(kind, found, placeOf) {
  const shown = found.slice(0, FINDINGS_SHOWN)
  const items = shown.map(each => h('li', {}, placeOf(each), ' ', each.reason))
  const more = found.length - shown.length
  return found.length ? h('div', { class: kind }, h('h3', {}, plural(found.length, kind)), h('ul', {}, items, more ? h('li', {}, `and ${more} more`) : null)) : null
}

/** Take files that are dropped on an element. */
export function dropTarget(element, onFile) {
  element.addEventListener('dragover', event => { event.preventDefault(); element.classList.add('over') })
  element.addEventListener('dragleave', () => element.classList.remove('over'))
  element.addEventListener('drop', event => {
    event.preventDefault()
    element.classList.remove('over')
    if (event.dataTransfer.files[0]) onFile(event.dataTransfer.files[0])
  })
}

export function scriptEditor({ onInput, onFile }) {
  const lines = h('div', { class: 'lines', 'aria-hidden': 'true' })
  const area = h('textarea', {
    'aria-label': 'Script', spellcheck: 'true', rows: 16, 'aria-describedby': 'findings',
    placeholder: 'Paste a script, or drop a file here.\n\nAnn: Good morning. Is the kettle on?\nBen: It has been on since six.',
  })
  const findings = h('div', { class: 'findings', id: 'findings' })
  const box = h('div', { class: 'editor' }, lines, area)
  const file = h('input', { type: 'file', class: 'hidden', 'aria-label': 'Script or book', tabindex: -1 })
  const actions = h('div', { class: 'actions' }, file, button('Open a file', () => file.click()))
  let marks = new Map()

  function draw() {
    const texts = area.value.split('\n')
    box.classList.toggle('plain', texts.length > LINES_SHOWN)
    if (texts.length > LINES_SHOWN) return lines.replaceChildren()
    return lines.replaceChildren(...texts.map((text, index) => h('div', { class: marks.get(index + 1) ?? '' }, text || '\u200b')))
  }

  function scrolled() {
    lines.scrollTop = area.scrollTop
  }

  function select(line) {
    const texts = area.value.split('\n')
    const start = texts.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0)
    area.focus()
    area.setSelectionRange(start, start + (texts[line - 1] ?? '').length)
    const row = lines.children[line - 1]
    if (row) area.scrollTop = row.offsetTop - area.clientHeight / 3
  }

  const list = (kind, found) => findingsList(kind, found, each => button(`Line ${each.line}`, () => select(each.line), { class: 'link' }))

  // a paste is an event for each of its lines
  let drawing = 0
  area.addEventListener('input', () => {
    if (!drawing) drawing = requestAnimationFrame(() => { drawing = 0; marks = new Map(); draw(); scrolled(); onInput() })
  })
  area.addEventListener('scroll', scrolled, { passive: true })
  file.addEventListener('change', () => { if (file.files[0]) onFile(file.files[0]); file.value = '' })
  return {
    element: h('div', {}, box, findings),
    actions,
    get text() { return area.value },
    set(text) { area.value = text; marks = new Map(); findings.replaceChildren(); draw(); onInput() },
    mark(problems, notices) {
      marks = new Map([...notices.map(each => [each.line, 'noticed']), ...problems.map(each => [each.line, 'faulty'])])
      draw()
      scrolled()
      findings.replaceChildren(...[list('problem', problems), list('notice', notices)].filter(Boolean))
    },
  }
}
