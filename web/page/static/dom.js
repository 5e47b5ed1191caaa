// Elements from plain values. Text is only ever set as text, never as HTML.

/** Make an element; properties are attributes, `on` has listeners, children are elements or text. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'on') for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener)
    else if (name === 'value') element.value = value
    else if (value === true) element.setAttribute(name, '')
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value))
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false))
  return element
}

/** A button with a listener. */
export function button(label, listener, properties = {}) {
  return h('button', { type: 'button', ...properties, on: { click: listener } }, label)
}

/** A label above a control. */
export function field(label, control, hint) {
  return h('label', { class: 'field' }, h('span', {}, label), control, hint ? h('small', {}, hint) : null)
}

export function options(values, chosen) {
  return values.map(([value, label]) => h('option', { value, selected: value === chosen }, label ?? value))
}

const notices = document.getElementById('notices')

/** Show a message for some seconds, in an open dialog if there is one; an error stays until it is closed. */
export function notify(message, kind = 'info') {
  const notice = h('div', { class: `notice ${kind}` }, h('span', {}, message))
  const close = () => notice.remove()
  notice.append(button('Dismiss', close, { class: 'quiet' }))
  const open = [...document.querySelectorAll('dialog[open] > .notices')].at(-1)
  const place = open ?? notices
  place.replaceChildren(notice)
  if (kind !== 'error') setTimeout(close, 6000)
}

/** Run an action of a button: the button is busy meanwhile, and an error is shown. */
export async function busy(control, action) {
  if (control.getAttribute('aria-busy') === 'true') return undefined
  control.setAttribute('aria-busy', 'true')
  try {
    return await action()
  } catch (error) {
    if (error.name !== 'AbortError') notify(error.message, 'error')
    return undefined
  } finally {
    control.removeAttribute('aria-busy')
  }
}

/** A dialog; resolves with the value that its content closes it with, or undefined. */
export function dialog(title, fill) {
  return new Promise(resolve => {
    let result
    const box = h('dialog', { 'aria-label': title })
    const own = h('div', { class: 'notices', role: 'status', 'aria-live': 'polite' })
    const close = value => { result = value; box.close() }
    box.append(
      h('div', { class: 'dialog-head' }, h('h2', {}, title), button('Close', () => close(), { class: 'quiet' })),
      fill(close),
      own,
    )
    box.addEventListener('close', () => {
      if (own.firstChild) notices.replaceChildren(...own.childNodes)
      box.remove()
      resolve(result)
    })
    document.body.append(box)
    box.showModal()
  })
}

/** 63.2 as 1:03, 3671 as 1:01:11. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0))
  const pair = number => String(number).padStart(2, '0')
  const hours = Math.floor(whole / 3600)
  const minutes = Math.floor(whole / 60) % 60
  return hours ? `${hours}:${pair(minutes)}:${pair(whole % 60)}` : `${minutes}:${pair(whole % 60)}`
}

/** A duration in words: "40 s", "12 min", "1.5 h". */
export function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`
  return `${(seconds / 3600).toFixed(1)} h`
}

export function plural(count, noun) {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}
