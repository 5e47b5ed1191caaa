// Takes of a segment, side by side: hear, make another, choose one.
import { get, job, media, post } from '/page/api.js'
import { busy, button, clock, dialog, h, notify } from '/page/dom.js'
import { silence, sound } from '/page/sound.js'

/** Show the takes of the segments of a line; resolves with true if another take was chosen. */
export async function takesDialog(id, segments, title, { finished }) {
  let picked = false
  await dialog(title, () => {
    const box = h('div', { class: 'takes' })
    for (const segment of segments) box.append(panel(segment))
    return box
  })
  silence()
  return picked

  function panel(segment) {
    const cards = h('div', { class: 'cards' }, h('p', { class: 'loading' }, 'Loading…'))
    const more = button('Make another take', () => busy(more, async () => {
      const made = await post(job(id, `/segments/${segment}/takes?wait_s=60`), {})
      if (made.status !== 'completed') notify('The take is being made. Open the takes again in a moment.')
      await load()
    }))
    const load = async () => {
      const takes = (await get(job(id, `/segments/${segment}/takes`))).data
      cards.replaceChildren(...takes.map(take => card(segment, take, load)))
    }
    load().catch(error => cards.replaceChildren(h('p', { class: 'problem' }, error.message)))
    return h('section', {}, h('div', { class: 'head' }, h('h3', {}, `Segment ${segment}`), more), cards)
  }

  function card(segment, take, load) {
    const name = take.take < 100 ? `Take ${take.take}` : `Take ${take.take} (yours)`
    const hear = button('Hear', () => busy(hear, () => sound(media(job(id, `/segments/${segment}/audio?take=${take.take}&format=mp3`)))), { 'aria-label': `Hear ${name} of segment ${segment}` })
    const pick = button('Use it', () => busy(pick, async () => {
      await post(job(id, `/segments/${segment}/pick?wait_s=60`), { take: take.take })
      picked = true
      notify(`${name} is in the file now.`)
      await load()
    }), { disabled: take.used || !finished, 'aria-label': `Use it: ${name} of segment ${segment}`, title: finished ? null : 'When the job is finished' })
    return h('div', { class: take.used ? 'take used' : 'take' },
      h('strong', {}, name),
      h('small', {}, [take.duration_s === null ? 'not made yet' : clock(take.duration_s), take.score === null ? null : `score ${take.score.toFixed(2)}`].filter(Boolean).join(', ')),
      take.findings.length ? h('ul', { class: 'warnings' }, take.findings.map(each => h('li', {}, each))) : null,
      h('div', { class: 'actions' }, hear, take.used ? h('span', { class: 'pill' }, 'in use') : pick))
  }
}
