// A new job: the script with faults at their lines, the cast, what it will take, and the start.
import { get, JOBS, post, upload } from '/page/api.js'
import { castTable, loadVoices } from '/page/cast.js'
import { busy, button, duration, field, h, notify, options, plural } from '/page/dom.js'
import { scriptEditor } from '/page/editor.js'

const DRAFT = 'voxchord.draft'
const PAUSE_MS = 500
const FIRST_WORDS = 25
const FORMATS = [['mp3', 'MP3'], ['m4b', 'M4B'], ['opus', 'Opus'], ['aac', 'AAC'], ['flac', 'FLAC'], ['wav', 'WAV']]
const BOOKS = /\.(epub|docx)$/i
const EXAMPLE = `Ann: Good morning. Is the kettle on?

Ben: It has been on since six, and it has sung twice already.

Ann: Then pour. [pause:800ms] I have news from the harbour.`

export async function newView(signal) {
  const [models, voices] = await Promise.all([get('/v1/models', signal), loadVoices(signal)])
  return new Draft(models.data.map(each => each.id), voices, signal).element
}

class Draft {
  constructor(models, voices, signal) {
    this.signal = signal
    this.file = null
    this.checked = null
    this.number = 0
    this.cast = castTable(voices, () => this.check())
    this.editor = scriptEditor({ onInput: () => this.changed(), onFile: file => this.dropped(file) })
    this.title = h('input', { maxlength: 200, placeholder: 'Untitled' })
    this.format = h('select', {}, options(FORMATS, 'mp3'))
    const engines = models.filter(name => !/^(tts-1|gpt-)/.test(name))
    this.model = h('select', { on: { change: () => this.check() } }, options([['', 'Default'], ...engines.map(name => [name])]))
    this.speed = h('input', { type: 'number', min: 0.25, max: 4, step: 0.05, value: '1', on: { change: () => this.check() } })
    this.symbols = h('select', { on: { change: () => this.check() } }, options([['refuse', 'Refuse'], ['omit', 'Leave out'], ['name', 'Read the name']], 'refuse'))
    this.seed = h('input', { type: 'number', min: 0, max: 4294967295, step: 1, value: '0' })
    this.estimate = h('div', { class: 'estimate', role: 'status' })
    this.start = button('Render', () => busy(this.start, () => this.create()), { class: 'primary big', disabled: true })
    const side = h('div', { class: 'side' },
      h('section', { class: 'card', 'aria-labelledby': 'cast' }, h('h2', { id: 'cast' }, 'Cast'), this.cast.element),
      h('section', { class: 'card', 'aria-labelledby': 'takes' }, h('h2', { id: 'takes' }, 'What it will take'), this.estimate,
        h('div', { class: 'pair' }, field('Title', this.title), field('Format', this.format)),
        h('details', {}, h('summary', {}, 'More options'),
          h('div', { class: 'pair' }, field('Model', this.model), field('Speed', this.speed), field('Emoji', this.symbols), field('Seed', this.seed, 'Another seed is another performance.'))),
        this.start))
    this.element = h('div', { class: 'draft' }, h('section', { class: 'script', 'aria-labelledby': 'script' },
      h('div', { class: 'head' }, h('h1', { id: 'script' }, 'Script'), this.editor.actions,
        button('Example', () => this.editor.set(EXAMPLE), { class: 'quiet' })), this.editor.element), side)
    this.editor.set(sessionStorage.getItem(DRAFT) ?? '')
  }

  changed() {
    this.file = null
    if (this.editor.text.length < 1_000_000) sessionStorage.setItem(DRAFT, this.editor.text)
    this.number += 1
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.check(), PAUSE_MS)
    if (!this.editor.text.trim()) this.check()
  }

  async dropped(file) {
    if (BOOKS.test(file.name)) {
      this.editor.set('')
      this.file = file
      this.editor.showFile(file.name)
      if (!this.title.value) this.title.value = file.name.replace(/\.\w+$/, '').slice(0, 200)
      this.cast.show([])
      this.estimate.replaceChildren(h('p', {}, 'The book is read when the job starts; the default voice reads it.'))
      this.start.disabled = false
      return
    }
    if (file.size > 8_000_000) return notify('The file is too large for a script.', 'error')
    this.editor.set(await file.text())
    return undefined
  }

  request() {
    const seed = Number(this.seed.value) || 0
    return {
      model: this.model.value,
      voices: this.cast.voices(),
      speed: Number(this.speed.value) || 1,
      symbols: this.symbols.value,
      options: seed ? { seed } : {},
    }
  }

  async check() {
    if (this.file) return
    const number = ++this.number
    const input = this.editor.text
    if (!input.trim()) {
      this.checked = null
      this.editor.mark([], [])
      this.cast.show([])
      this.start.disabled = true
      this.estimate.replaceChildren(h('p', { class: 'muted' }, 'Paste a script, and its speakers appear here.'))
      return
    }
    try {
      const names = new Set(this.cast.names())
      const request = { ...this.request(), first_segment_words: FIRST_WORDS, input }
      const found = await post('/v1/audio/check', request, this.signal)
      if (number !== this.number) return
      const missing = [...names].filter(name => !found.speakers.some(each => each.name === name))
      this.checked = found
      this.cast.show(found.speakers)
      if (missing.length && found.problems.some(problem => problem.reason.includes('who does not speak'))) return void this.check()
      this.show(found)
    } catch (error) {
      if (error.name === 'AbortError' || number !== this.number) return
      this.start.disabled = true
      this.editor.mark([], [])
      this.estimate.replaceChildren(h('p', { class: 'problem' }, error.message))
    }
  }

  show(found) {
    this.editor.mark(found.problems, found.notices)
    this.start.disabled = found.problems.length > 0
    const facts = [[minutes(found.minutes), 'of audio'], [plural(found.words, 'word'), `of ${plural(found.speakers.length, 'speaker')}`]]
    if (found.segments !== null) {
      const made = found.segments_made ? `${found.segments_made} made already` : 'to make'
      facts.push([plural(found.segments, 'segment'), made])
    }
    const { wall_s: wall, work_s: work, processes, days } = found.estimate
    if (wall !== null) facts.push([`about ${duration(wall)}`, `${duration(work)} of work for ${plural(processes, 'process').replace(/ss$/, 'sses')}`])
    this.estimate.replaceChildren(
      h('dl', { class: 'facts' }, facts.map(([figure, of]) => h('div', {}, h('dt', {}, figure), h('dd', {}, of)))),
      found.problems.length
        ? h('p', { class: 'problem' }, `${plural(found.problems.length, 'problem')} to settle first.`)
        : h('p', { class: 'muted' }, wall === null ? 'The history has no such work yet, so its time is unknown.' : `By the work of the last ${days} days.`))
  }

  async create() {
    const fields = { ...this.request(), title: this.title.value.trim(), response_format: this.format.value, first_segment_words: FIRST_WORDS }
    let job
    if (this.file) {
      const form = new FormData()
      form.append('file', this.file)
      form.append('request', JSON.stringify({ ...fields, voices: {} }))
      job = await upload(`${JOBS}/upload`, form)
    } else {
      job = await post(JOBS, { ...fields, input: this.editor.text })
    }
    location.hash = `#/jobs/${encodeURIComponent(job.id)}`
  }
}

function minutes(given) {
  return given < 1.5 ? `${Math.round(given * 60)} s` : given < 90 ? `${Math.round(given)} min` : `${(given / 60).toFixed(1)} h`
}
