// An uploaded book: its chapters to choose from, and what is left out of it.
import { h, plural } from '/page/dom.js'
import { findingsList } from '/page/editor.js'

/** Numbers as the option `chapters` takes them: 2-4,6. */
export function ranges(numbers) {
  const parts = []
  for (const number of numbers) {
    const last = parts.at(-1)
    if (last && last[1] === number - 1) last[1] = number
    else parts.push([number, number])
  }
  return parts.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',')
}

export class BookPanel {
  /** `book` is an answer of `/v1/audio/books`; `onChange` is called when other chapters are chosen. */
  constructor(book, onChange) {
    this.book = book
    this.onChange = onChange
    this.boxes = book.chapters.map(chapter => h('input', { type: 'checkbox', checked: chapter.read, on: { change: () => this.changed() } }))
    this.chosen = h('small', { role: 'status' })
    this.sum()
    this.leftOut = h('div', { class: 'left-out' })
    this.findings = h('div', { class: 'findings' })
    const by = [book.authors.join(', '), [book.series, book.series_position].filter(Boolean).join(' '), book.language].filter(Boolean).join(' · ')
    this.element = h('div', { class: 'book' },
      h('div', {}, h('h2', {}, book.title || 'Untitled'), by ? h('p', { class: 'muted' }, by) : null),
      h('div', { class: 'actions' }, this.choice('All', () => true), this.choice('None', () => false), this.choice('Without matter', chapter => !chapter.matter), this.chosen),
      h('ul', { class: 'chapters', 'aria-label': 'Chapters' }, book.chapters.map((chapter, index) => this.row(chapter, this.boxes[index]))),
      this.leftOut, this.findings)
  }

  choice(label, rule) {
    return h('button', { type: 'button', on: { click: () => {
      this.book.chapters.forEach((chapter, index) => { this.boxes[index].checked = rule(chapter) })
      this.changed()
    } } }, label)
  }

  row(chapter, box) {
    const facts = [plural(chapter.words, 'word'), minutes(chapter.minutes), chapter.matter].filter(Boolean)
    return h('li', {}, h('label', {}, box, h('span', { class: 'number' }, String(chapter.number)),
      h('span', { class: 'title' }, chapter.title || 'Without a title'), h('small', {}, facts.join(' · '))))
  }

  changed() {
    this.sum()
    this.onChange()
  }

  sum() {
    const { length } = this.numbers
    this.chosen.textContent = `${length} of ${plural(this.book.chapters.length, 'chapter')} chosen`
  }

  get numbers() {
    return this.book.chapters.filter((_, index) => this.boxes[index].checked).map(chapter => chapter.number)
  }

  /** Value of the option `chapters`; undefined for those that are read by default. */
  get chapters() {
    const isDefault = this.book.chapters.every((chapter, index) => chapter.read === this.boxes[index].checked)
    return isDefault ? undefined : ranges(this.numbers)
  }

  /** Show what a check found. */
  show(found) {
    const omitted = Object.entries(found.omitted)
    this.leftOut.replaceChildren(...(omitted.length ? [h('h3', {}, 'Left out'), h('ul', {}, omitted.map(([kind, { count, words }]) => (
      h('li', {}, `${count.toLocaleString('en')} × ${kind}`, words ? h('small', {}, plural(words, 'word')) : null))))] : []))
    const lists = [['problem', found.problems], ['notice', found.notices]]
    this.findings.replaceChildren(...lists.map(([kind, each]) => findingsList(kind, each, finding => h('strong', {}, `Paragraph ${finding.line}`))).filter(Boolean))
  }
}

function minutes(given) {
  return given < 90 ? `${given.toFixed(given < 10 ? 1 : 0)} min` : `${(given / 60).toFixed(1)} h`
}
