// The list of jobs: search, open, cancel, retry, delete.
import { get, job as path, JOBS, post, remove } from '/page/api.js'
import { busy, button, h, options } from '/page/dom.js'
import { confirmed, statusOf } from '/page/job.js'

const STATUSES = [['', 'All'], ['queued', 'Waiting'], ['in_progress', 'Rendering'], ['completed', 'Finished'], ['failed', 'Failed']]
const PAUSE_MS = 250
const AGAIN_MS = 3000

export async function jobsView(signal) {
  const list = new JobList(signal)
  await list.load()
  return list.element
}

class JobList {
  constructor(signal) {
    this.signal = signal
    this.search = h('input', { type: 'search', placeholder: 'Title or ID', 'aria-label': 'Search jobs' })
    this.status = h('select', { 'aria-label': 'Status' }, options(STATUSES, ''))
    this.rows = h('ul', { class: 'jobs' })
    this.more = button('More', () => busy(this.more, () => this.load(this.last)), { hidden: true })
    this.element = h('section', {}, h('div', { class: 'head' }, h('h1', {}, 'Jobs'), h('div', { class: 'actions' }, this.search, this.status)), this.rows, this.more)
    this.search.addEventListener('input', () => this.later())
    this.status.addEventListener('change', () => this.load())
  }

  later() {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.load(), PAUSE_MS)
  }

  async load(after) {
    const query = new URLSearchParams({ limit: 50 })
    if (this.search.value.trim()) query.set('search', this.search.value.trim())
    if (this.status.value) query.set('status', this.status.value)
    if (after) query.set('after', after)
    const page = await get(`${JOBS}?${query}`, this.signal)
    const rows = page.data.map(job => this.row(job))
    if (after) this.rows.append(...rows)
    else this.rows.replaceChildren(...(rows.length ? rows : [this.empty()]))
    this.last = page.last_id
    this.more.hidden = !page.has_more
    clearTimeout(this.again)
    if (!after && page.data.some(job => job.status === 'queued' || job.status === 'in_progress') && !this.signal.aborted) {
      this.again = setTimeout(() => { if (!this.signal.aborted && !this.rows.contains(document.activeElement)) this.load() }, AGAIN_MS)
    }
  }

  empty() {
    const searched = this.search.value || this.status.value
    return h('li', { class: 'empty' }, searched ? 'No job matches.' : h('span', {}, 'No jobs yet. ', h('a', { href: '#/' }, 'Start one'), '.'))
  }

  row(job) {
    const name = job.title || job.id
    const running = job.status === 'queued' || job.status === 'in_progress'
    const act = (label, action, properties = {}) => {
      const control = button(label, () => busy(control, async () => { await action(); await this.load() }), { 'aria-label': `${label} ${name}`, ...properties })
      return control
    }
    const actions = running ? [act('Cancel', () => post(path(job.id, '/cancel'), {}))] : [
      job.status === 'failed' ? act('Retry', () => post(path(job.id, '/retry'), {})) : null,
      act('Delete', async () => { if (await confirmed(`Delete ${name}?`)) await remove(path(job.id)) }, { class: 'quiet' })]
    const facts = [new Date(job.created_at * 1000).toLocaleString(), job.response_format, running && job.segments ? `${job.segments_done} of ${job.segments}` : null]
    return h('li', {}, h('div', {}, h('a', { href: `#/jobs/${encodeURIComponent(job.id)}` }, name), h('small', {}, facts.filter(Boolean).join(' · '))),
      h('span', { class: `pill ${job.status}` }, statusOf(job)), h('div', { class: 'actions' }, actions))
  }
}
