// The script as it is heard: the word that sounds is marked, a line can be heard, changed and made again.
import { busy, button, h } from '/page/dom.js'

const still = matchMedia('(prefers-reduced-motion: reduce)')

export class Transcript {
  /** `script` is the answer of `/script`; `actions` has `hear(index)`, `seek(seconds)`, `change(index, text)`, `takes(index)`. */
  constructor(script, actions) {
    this.script = script
    this.actions = actions
    this.current = -1
    this.word = null
    this.timed = null
    this.starts = []
    this.ends = []
    this.follows = true
    const speakers = [...new Set(script.request.input.map(turn => turn.speaker))]
    this.rows = script.request.input.map((turn, index) => this.row(turn, index, speakers.indexOf(turn.speaker)))
    this.element = h('ol', { class: 'transcript', 'aria-label': 'Transcript' }, this.rows.map(row => row.element))
  }

  row(turn, index, number) {
    const line = this.script.places[index].source_line
    const of = `line ${line}, ${turn.speaker}`
    const text = h('p', { class: 'words' }, turn.text)
    const hear = button('Hear', () => busy(hear, () => this.actions.hear(index)), { 'aria-label': `Hear ${of}` })
    const change = button('Change', () => this.edit(index), { 'aria-label': `Change ${of}` })
    const takes = button('Takes', () => busy(takes, () => this.actions.takes(index)), { 'aria-label': `Takes of ${of}` })
    const warnings = h('ul', { class: 'warnings' })
    const tools = h('div', { class: 'tools' }, hear, change, takes)
    text.addEventListener('click', event => {
      const word = event.target.closest('[data-start]')
      if (word) this.actions.seek(Number(word.dataset.start))
      else if (this.starts[index] !== undefined && !getSelection().toString()) this.actions.seek(this.starts[index])
    })
    const element = h('li', { class: `turn speaker-${number % 6}` },
      h('div', { class: 'turn-head' }, h('strong', {}, turn.speaker), h('small', {}, `line ${line}`), tools), text, warnings)
    return { element, text, warnings, change }
  }

  /** Times in the finished file, of turns and of words. */
  time(turns, words) {
    const entries = new Map(this.script.places.flatMap((place, index) => place.turns.map(turn => [turn, index])))
    this.starts = []
    this.ends = []
    for (const each of turns) {
      const index = entries.get(each.turn)
      this.starts[index] = Math.min(this.starts[index] ?? Infinity, each.start_s)
      this.ends[index] = Math.max(this.ends[index] ?? 0, each.end_s)
    }
    this.timed = Map.groupBy ? Map.groupBy(words, word => entries.get(word.turn)) : grouped(words, entries)
    const { current } = this
    this.current = -1
    if (current >= 0) this.show(current)
  }

  /** Times while the file grows, from the durations of its finished start. */
  estimate(known, length) {
    if (this.timed || !length) return
    let sum = 0 // of the segments in the file, which may have fewer or more than are known
    const durations = known.filter(each => { sum += each; return sum <= length })
    const whole = durations.reduce((before, each) => before + each, 0)
    const scale = whole ? length / whole : 0
    const bounds = [0]
    for (const each of durations) bounds.push(bounds.at(-1) + each * scale)
    const characters = durations.map((_, segment) => this.charactersOf(segment))
    const passed = durations.map(() => 0)
    this.starts = []
    this.ends = []
    this.script.places.forEach((place, index) => {
      const share = this.script.request.input[index].text.length / place.segments.length
      for (const segment of place.segments) {
        if (segment >= durations.length) continue
        const at = part => bounds[segment] + (bounds[segment + 1] - bounds[segment]) * part / characters[segment]
        this.starts[index] ??= at(passed[segment])
        passed[segment] += share
        this.ends[index] = at(passed[segment])
      }
    })
  }

  charactersOf(segment) {
    return this.script.places.reduce((sum, place, index) => (
      place.segments.includes(segment) ? sum + this.script.request.input[index].text.length / place.segments.length : sum), 0)
  }

  /** Mark what sounds at a time. */
  at(seconds, isPlaying) {
    let index = this.current >= 0 && seconds >= this.starts[this.current] ? this.current : 0
    while (index + 1 < this.starts.length && seconds >= (this.starts[index + 1] ?? Infinity)) index += 1
    if (this.starts[index] === undefined) return
    if (index !== this.current) {
      this.show(index)
      if (isPlaying && this.follows) this.reveal(index)
    }
    const words = this.timed?.get(index)
    if (!words) return
    let low = 0
    for (let high = words.length; low < high;) {
      const middle = (low + high) >> 1
      if (words[middle].start_s <= seconds) low = middle + 1
      else high = middle
    }
    const word = this.rows[index].text.children[low - 1]
    if (word === this.word) return
    this.word?.classList.remove('now')
    word?.classList.add('now')
    this.word = word ?? null
  }

  show(index) {
    const before = this.rows[this.current]
    if (before) {
      before.element.classList.remove('current')
      before.text.textContent = this.script.request.input[this.current].text
    }
    this.current = index
    this.word = null
    const row = this.rows[index]
    row.element.classList.add('current')
    const words = this.timed?.get(index)
    if (words) row.text.replaceChildren(...words.flatMap(word => [h('span', { 'data-start': word.start_s }, word.word), ' ']))
  }

  reveal(index) {
    this.rows[index].element.scrollIntoView({ block: 'nearest', behavior: still.matches ? 'auto' : 'smooth' })
  }

  /** Warnings at their lines: {segment, text}. */
  warn(segment, warnings) {
    this.script.places.forEach((place, index) => {
      if (place.segments[0] !== segment) return
      this.rows[index].warnings.replaceChildren(...warnings.map(warning => h('li', {}, warning)))
    })
  }

  edit(index) {
    const row = this.rows[index]
    const turn = this.script.request.input[index]
    const area = h('textarea', { rows: 3, 'aria-label': `New text of line ${this.script.places[index].source_line}`, value: turn.text })
    const close = () => { form.remove(); row.text.hidden = false; row.change.focus() }
    const make = button('Make and hear it', () => busy(make, () => this.actions.change(index, area.value)), { class: 'primary' })
    const form = h('div', { class: 'change' }, area, h('div', { class: 'actions' }, make, button('Leave it', close),
      h('small', {}, 'Only its segment is made again.')))
    area.addEventListener('keydown', event => {
      if (event.key === 'Escape') close()
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) make.click()
    })
    row.text.hidden = true
    row.text.after(form)
    area.focus()
  }
}

function grouped(words, entries) {
  const found = new Map()
  for (const word of words) {
    const index = entries.get(word.turn)
    if (!found.has(index)) found.set(index, [])
    found.get(index).push(word)
  }
  return found
}
