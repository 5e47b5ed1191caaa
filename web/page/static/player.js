// A player for a file that may still grow: while a job runs, the longer file takes over where the shorter one is.
import { button, clock, h } from '/page/dom.js'

const AHEAD_S = 20
const RATES = [1, 1.25, 1.5, 2, 0.75]

const once = (target, event) => new Promise((resolve, reject) => {
  target.addEventListener(event, resolve, { once: true })
  target.addEventListener('error', () => reject(new Error('This browser cannot play the file.')), { once: true })
})

export class Player {
  /** `fetchSoFar` resolves with an address of the finished start; `onTime` gets each new position. */
  constructor({ fetchSoFar, onTime, signal }) {
    this.fetchSoFar = fetchSoFar
    this.onTime = onTime
    this.wanted = false
    this.growing = true
    this.loading = null
    this.stopAt = Infinity
    this.awaited = null
    this.rate = 0
    this.audio = new Audio()
    this.toggle = button('Play', () => this.playOrPause(), { class: 'primary', disabled: true })
    this.speed = button('1×', () => this.faster(), { class: 'quiet', 'aria-label': 'Speed 1 times' })
    this.position = h('input', { type: 'range', min: 0, max: 1, step: 0.1, value: '0', 'aria-label': 'Position', disabled: true })
    this.position.addEventListener('input', () => this.seek(Number(this.position.value)))
    this.time = h('span', { class: 'time' }, '0:00')
    this.holder = h('div', { hidden: true }, this.audio)
    this.element = h('section', { class: 'player', 'aria-label': 'Player' }, this.toggle, this.position, this.time, this.speed, this.holder)
    signal.addEventListener('abort', () => { this.close(); this.release() })
    const tick = () => {
      if (signal.aborted) return
      if (!this.audio.paused) this.moved()
      requestAnimationFrame(tick)
    }
    tick()
  }

  get at() { return this.audio.currentTime }
  get length() { return Number.isFinite(this.audio.duration) ? this.audio.duration : 0 }
  get ready() { return this.audio.readyState > 0 }

  moved() {
    const { at } = this
    if (at >= this.stopAt) {
      this.stopAt = Infinity
      this.pause()
    }
    this.position.value = String(at)
    this.position.setAttribute('aria-valuetext', `${clock(at)} of ${clock(this.length)}`)
    this.time.textContent = `${clock(at)} / ${clock(this.length)}${this.growing ? '…' : ''}`
    this.onTime(at)
    if (this.growing && this.length - at < AHEAD_S && this.more) this.grow()
  }

  /** There is more audio than is loaded; it is fetched where it is soon needed. */
  async grow() {
    this.more = true
    if (this.loading || !this.growing || (this.ready && this.length - this.at > AHEAD_S)) return
    this.more = false
    this.loading = this.fetchSoFar().then(address => address && this.growing && this.take(address, true))
    try {
      await this.loading
    } finally {
      this.loading = null
    }
  }

  /** The whole file takes over. */
  async finish(address) {
    this.growing = false
    await this.loading?.catch(() => undefined)
    await this.take(address)
  }

  /** No longer file takes over, as where the whole one is no sound. */
  close() {
    this.growing = false
    this.awaited = null
    this.pause()
    this.element.hidden = true
  }

  async take(address) {
    const next = new Audio()
    next.preload = 'auto'
    next.src = address
    next.playbackRate = RATES[this.rate]
    await once(next, 'loadedmetadata')
    const { audio } = this
    if (audio.currentTime > 0) {
      next.currentTime = Math.min(audio.currentTime, next.duration)
      await once(next, 'seeked')
      audio.pause()
      if (Math.abs(next.currentTime - audio.currentTime) > 0.15) next.currentTime = audio.currentTime
    }
    next.addEventListener('ended', () => this.ended())
    next.addEventListener('pause', () => this.shown())
    next.addEventListener('play', () => this.shown())
    audio.pause()
    this.release()
    this.address = address
    this.audio = next
    this.holder.replaceChildren(next)
    this.toggle.disabled = this.position.disabled = false
    this.position.max = String(next.duration)
    this.moved()
    const { awaited } = this
    if (awaited && awaited.start <= this.length) await this.playPart(awaited.start, awaited.end)
    else if (this.wanted) await this.play()
  }

  release() {
    if (this.address?.startsWith('blob:')) URL.revokeObjectURL(this.address)
    this.address = null
  }

  ended() {
    if (this.growing) return this.grow() // it goes on when more is made
    this.wanted = false
    return this.shown()
  }

  shown() {
    this.toggle.textContent = this.wanted ? 'Pause' : 'Play'
    this.element.classList.toggle('waiting', this.wanted && this.audio.paused)
  }

  playOrPause() {
    this.stopAt = Infinity
    this.awaited = null
    return this.wanted ? this.pause() : this.play()
  }

  async play() {
    this.wanted = true
    this.shown()
    const { audio } = this
    await audio.play().catch(error => {
      if (audio !== this.audio) return // another one has taken over, and plays
      this.wanted = false
      this.shown()
      if (error.name !== 'NotAllowedError' && error.name !== 'AbortError') throw error
    })
  }

  pause() {
    this.wanted = false
    this.audio.pause()
    this.shown()
  }

  seek(seconds) {
    this.stopAt = Infinity
    this.awaited = null
    this.audio.currentTime = Math.min(seconds, this.length || seconds)
    this.moved()
  }

  /** Play from one time to another, as soon as that part is loaded. */
  async playPart(start, end) {
    if (!this.ready || start > this.length) {
      this.awaited = { start, end }
      return
    }
    this.seek(start + 0.001)
    this.stopAt = end
    await this.play()
  }

  faster() {
    this.rate = (this.rate + 1) % RATES.length
    this.audio.playbackRate = RATES[this.rate]
    this.speed.textContent = `${RATES[this.rate]}×`
    this.speed.setAttribute('aria-label', `Speed ${RATES[this.rate]} times`)
  }
}
