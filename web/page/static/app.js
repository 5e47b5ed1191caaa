// Views by the address: #/ is a new script, #/jobs the list, #/jobs/ID one job, #/compare/ID/ID two.
import { compareView } from '/page/compare.js'
import { h, notify } from '/page/dom.js'
import { jobView } from '/page/job.js'
import { jobsView } from '/page/jobs.js'
import { newView } from '/page/new.js'

const view = document.getElementById('view')
let leave = new AbortController()

function selected(address) {
  const [path, query = ''] = address.replace(/^#\/?/, '').split('?')
  const [name, id, other] = path.split('/').map(part => decodeURIComponent(part))
  const given = new URLSearchParams(query)
  if (name === 'compare' && other) return ['jobs', 'Compare', signal => compareView(id, other, signal)]
  if (name !== 'jobs') return ['new', 'New', signal => newView(signal)]
  return id ? ['jobs', id, signal => jobView(id, given, signal)] : ['jobs', 'Jobs', signal => jobsView(signal)]
}

async function show(isChange) {
  leave.abort()
  leave = new AbortController()
  const { signal } = leave
  const [current, title, make] = selected(location.hash)
  document.title = title === 'New' ? 'voxchord' : `${title} – voxchord`
  for (const link of document.querySelectorAll('nav a')) {
    if (link.dataset.view === current) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  view.replaceChildren(h('p', { class: 'loading' }, 'Loading…'))
  try {
    const shown = await make(signal)
    if (!signal.aborted) view.replaceChildren(shown)
    if (!signal.aborted && isChange) view.focus({ preventScroll: true })
  } catch (error) {
    if (signal.aborted) return
    view.replaceChildren(h('section', { class: 'empty' }, h('h1', {}, 'This did not work'), h('p', {}, error.message),
      h('p', {}, h('a', { href: '#/jobs' }, 'All jobs'))))
  }
}

// the address is the view's, so that the link may not change it
document.querySelector('.skip').addEventListener('click', event => {
  event.preventDefault()
  view.focus()
})
addEventListener('hashchange', () => { scrollTo(0, 0); show(true) })
addEventListener('unhandledrejection', event => {
  if (event.reason?.name === 'AbortError') event.preventDefault()
  else notify(event.reason?.message ?? 'Something went wrong', 'error')
})
show(false)
