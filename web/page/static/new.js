// A new job: the script with faults at their lines, or the chapters of a book; the cast, what it will take, and
// the start.
import { get, JOBS, post, upload } from '/page/api.js'
import { BookPanel } from '/page/book.js'
import { castTable, loadVoices } from '/page/cast.js'
import { busy, button, duration, field, h, notify, options, plural } from '/page/dom.js'
import { dropTarget, scriptEditor } from '/page/editor.js'
import { formatChoice } from '/page/formats.js'

const DRAFT = 'voxchord.draft'
const BOOK = 'voxchord.book'
const BOOKS = '/v1/audio/books'
const QUOTED = 'Quoted'
const PRESETS = [['', 'Levelled'], ['podcast', 'Podcast'], ['audiobook', 'Audiobook (ACX)'], ['broadcast', 'Broadcast (EBU R 128)']]
const PAUSE_MS = 500
const FIRST_WORDS = 25
const BOOK_FILES = /\.(epub|docx|x?html?)$/i
const EXAMPLE = `Ann: Good morning. Is the kettle on?

Ben: It has been on since six, and it has sung twice already.

Ann: Then pour. [pause:800ms] I have news from the harbour.`

export async function newView(signal) {
  const [models, voices] = await Promise.all([get('/v1/models', signal), loadVoices(signal)])
  const draft = new Draft(models.data.map(each => each.id), voices, signal)
  await draft.restore()
  return draft.element
}

class Draft {
  constructor(models, voices, signal) {
    this.signal = signal
    this.book = null
    this.textFile = null
    this.number = 0
    this.cast = castTable(voices, () => this.check())
    this.editor = scriptEditor({ onInput: () => this.changed(), onFile: file => this.dropped(file) })
    this.title = h('input', { maxlength: 200, placeholder: 'Untitled' })
    this.format = formatChoice({ chosen: 'mp3' })
    const engines = models.filter(name => !/^(tts-1|gpt-)/.test(name))
    this.model = h('select', { on: { change: () => this.check() } }, options([['', 'Default'], ...engines.map(name => [name])]))
    this.speed = h('input', { type: 'number', min: 0.25, max: 4, step: 0.05, value: '1', on: { change: () => this.check() } })
    this.symbols = h('select', { on: { change: () => this.check() } }, options([['refuse', 'Refuse'], ['omit', 'Leave out'], ['name', 'Read the name']], 'refuse'))
    this.loudness = h('select', {}, options(PRESETS, ''))
    this.seed = h('input', { type: 'number', min: 0, max: 4294967295, step: 1, value: '0' })
    this.estimate = h('div', { class: 'estimate', role: 'status' })
    this.start = button('Render', () => busy(this.start, () => this.create()), { class: 'primary big', disabled: true })
    this.asBook = button('Read it as a book', () => busy(this.asBook, () => this.openBook(this.textFile.file)), { hidden: true })
    this.example = button('Example', () => this.editor.set(EXAMPLE), { class: 'quiet' })
    this.close = button('Close the book', () => this.closeBook(), { class: 'quiet', hidden: true })
    this.quoted = h('input', { type: 'checkbox', on: { change: () => this.quote() } })
    this.quoting = h('label', { class: 'check', hidden: true }, this.quoted, 'Another voice for quoted speech')
    this.heading = h('h1', { id: 'script' }, 'Script')
    this.source = h('div', {}, this.editor.element)
    dropTarget(this.source, file => this.dropped(file))
    this.element = h('div', { class: 'draft' }, h('section', { class: 'script', 'aria-labelledby': 'script' },
      h('div', { class: 'head' }, this.heading, this.asBook, this.close, this.editor.actions, this.example), this.source), this.side())
  }

  side() {
    return h('div', { class: 'side' },
      h('section', { class: 'card', 'aria-labelledby': 'cast' }, h('h2', { id: 'cast' }, 'Cast'), this.quoting, this.cast.element),
      h('section', { class: 'card', 'aria-labelledby': 'takes' }, h('h2', { id: 'takes' }, 'What it will take'), this.estimate,
        h('div', { class: 'pair' }, field('Title', this.title)), this.format.element,
        h('details', {}, h('summary', {}, 'More options'),
          h('div', { class: 'pair' }, field('Model', this.model), field('Speed', this.speed), field('Emoji', this.symbols), field('Loudness', this.loudness), field('Seed', this.seed, 'Another seed is another performance.'))),
        this.start))
  }

  /** Show the script or the book of before, in this tab. */
  async restore() {
    this.editor.set(sessionStorage.getItem(DRAFT) ?? '')
    const id = sessionStorage.getItem(BOOK)
    const book = id && await get(`${BOOKS}/${id}`, this.signal).catch(() => null)
    if (book) this.showBook(book)
    else sessionStorage.removeItem(BOOK)
  }

  changed() {
    if (this.textFile && this.editor.text !== this.textFile.text) this.forgetFile()
    if (this.editor.text.length < 1_000_000) sessionStorage.setItem(DRAFT, this.editor.text)
    this.number += 1
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.check(), PAUSE_MS)
    if (!this.editor.text.trim()) this.check()
  }

  async dropped(file) {
    if (BOOK_FILES.test(file.name)) return busy(this.element, () => this.openBook(file))
    if (file.size > 8_000_000) return notify('The file is too large for a script.', 'error')
    this.closeBook()
    this.editor.set(await file.text())
    this.textFile = { file, text: this.editor.text }
    this.asBook.hidden = false
    return undefined
  }

  forgetFile() {
    this.textFile = null
    this.asBook.hidden = true
  }

  async openBook(file) {
    const form = new FormData()
    form.append('file', file)
    this.estimate.replaceChildren(h('p', { class: 'loading' }, `Reading ${file.name}…`))
    try {
      this.showBook(await upload(BOOKS, form))
    } catch (error) {
      this.check()
      throw error
    }
  }

  showBook(book) {
    sessionStorage.setItem(BOOK, book.id)
    this.forgetFile()
    this.book = new BookPanel(book, () => this.check())
    this.title.value ||= book.title.slice(0, 200)
    this.layOut()
  }

  closeBook() {
    if (!this.book) return
    if (this.title.value === this.book.book.title.slice(0, 200)) this.title.value = ''
    sessionStorage.removeItem(BOOK)
    this.book = null
    this.cast.take(QUOTED)
    this.layOut()
  }

  layOut() {
    const book = this.book !== null
    this.heading.textContent = book ? 'Book' : 'Script'
    this.close.hidden = this.quoting.hidden = !book
    this.example.hidden = book
    this.quoted.checked = false
    this.format.offerReadAlong(this.book?.book.form === 'epub')
    this.source.replaceChildren(book ? this.book.element : this.editor.element)
    this.cast.show([])
    this.check()
  }

  quote() {
    if (this.quoted.checked) this.cast.give(QUOTED)
    else this.cast.take(QUOTED)
    this.check()
  }

  request() {
    const seed = Number(this.seed.value) || 0
    const chapters = this.book?.chapters
    return {
      ...(this.book ? { book: this.book.book.id } : { input: this.editor.text }),
      model: this.model.value,
      voices: this.cast.voices(),
      speed: Number(this.speed.value) || 1,
      symbols: this.symbols.value,
      first_segment_words: FIRST_WORDS,
      options: { ...(seed ? { seed } : {}), ...(chapters === undefined ? {} : { chapters }), ...(this.loudness.value ? { loudness: this.loudness.value } : {}) },
    }
  }

  /** Reason why there is nothing to check; empty if there is something. */
  get missing() {
    if (this.book) return this.book.numbers.length ? '' : 'Choose a chapter.'
    return this.editor.text.trim() ? '' : 'Paste a script, and its speakers appear here.'
  }

  async check() {
    const number = ++this.number
    if (this.missing) {
      this.editor.mark([], [])
      this.cast.show([])
      this.quoted.checked = false
      this.start.disabled = true
      this.estimate.replaceChildren(h('p', { class: 'muted' }, this.missing))
      return
    }
    try {
      const names = this.cast.names()
      const found = await post('/v1/audio/check', this.request(), this.signal)
      if (number !== this.number) return
      const silent = names.filter(name => !found.speakers.some(each => each.name === name))
      this.cast.show(found.speakers)
      this.quoted.checked &&= this.cast.names().includes(QUOTED)
      if (silent.length && found.problems.some(problem => problem.reason.includes('who does not speak'))) return void this.checkWithout(silent)
      this.show(found)
    } catch (error) {
      if (error.name === 'AbortError' || number !== this.number) return
      this.start.disabled = true
      this.editor.mark([], [])
      this.estimate.replaceChildren(h('p', { class: 'problem' }, error.message))
    }
  }

  /** Check again without the voices of those who do not speak. */
  checkWithout(names) {
    if (names.includes(QUOTED)) notify('No quoted speech is in these chapters.')
    return this.check()
  }

  show(found) {
    if (this.book) this.book.show(found)
    else this.editor.mark(found.problems, found.notices)
    this.start.disabled = found.problems.length > 0
    const facts = [[minutes(found.minutes), 'of audio'], [plural(found.words, 'word'), `of ${plural(found.speakers.length, 'speaker')}`]]
    if (found.segments !== null) {
      const made = found.segments_made ? `${found.segments_made} made already` : 'to make'
      facts.push([plural(found.segments, 'segment'), made])
    }
    const { wall_s: wall, work_s: work, processes, days } = found.estimate
    if (wall !== null) facts.push([`about ${duration(wall)}`, `${duration(work)} of work for ${processes === 1 ? 'one process' : `${processes} processes`}`])
    this.estimate.replaceChildren(
      h('dl', { class: 'facts' }, facts.map(([figure, of]) => h('div', {}, h('dt', {}, figure), h('dd', {}, of)))),
      found.problems.length
        ? h('p', { class: 'problem' }, `${plural(found.problems.length, 'problem')} to settle first.`)
        : h('p', { class: 'muted' }, wall === null ? 'The history has no such work yet, so its time is unknown.' : `By the work of the last ${days} days.`))
  }

  async create() {
    const job = await post(JOBS, { ...this.request(), title: this.title.value.trim(), ...this.format.request() })
    location.hash = `#/jobs/${encodeURIComponent(job.id)}`
  }
}

function minutes(given) {
  return given < 1.5 ? `${Math.round(given * 60)} s` : given < 90 ? `${Math.round(given)} min` : `${(given / 60).toFixed(1)} h`
}
