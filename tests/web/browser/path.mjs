// The whole path: paste, cast, render, hear it before it is done, change a line, hear the new one, download.
import { readFileSync } from 'node:fs'
import { open } from './browser.mjs'
import { Inspection } from './inspection.mjs'

const [script, changed] = process.argv.slice(2)
const { browser, page, complaints } = await open()
const seen = {}
const inspection = new Inspection(page)
const inspect = name => inspection.inspect(name)

const job = () => page.evaluate(async () => (await fetch(`/v1/audio/jobs/${location.hash.match(/jobs\/([^?]+)/)[1]}`)).json())
const sound = () => page.evaluate(() => {
  const { currentTime, duration, paused, error } = document.querySelector('.player audio')
  return { at: currentTime, length: duration, paused, error: error?.message ?? null }
})
const finished = () => page.waitForFunction(() => document.querySelector('.state')?.textContent.startsWith('Finished'), null, { timeout: 120_000 })

await page.goto(process.env.PAGE_URL)
await page.getByText('Paste a script, and its speakers appear here.').waitFor()
await inspect('1-empty')

// paste, with a fault at its line
const area = page.getByRole('textbox', { name: 'Script', exact: true })
await area.fill('Ann: Hello.\n\nBen: Well 😀 there.')
await page.locator('.lines > .faulty').waitFor()
seen.faulty = await page.locator('.lines > .faulty').allTextContents()
seen.blocked = await page.getByRole('button', { name: 'Render' }).isDisabled()
await page.getByRole('button', { name: 'Line 3' }).click()
seen.selected = await area.evaluate(each => each.value.slice(each.selectionStart, each.selectionEnd))
await inspect('2-faults')
await area.fill(readFileSync(script, 'utf8'))

// cast
await page.getByLabel('Voice of C', { exact: true }).waitFor()
const rechecked = page.waitForResponse(response => response.url().endsWith('/v1/audio/check'))
await page.getByLabel('Voice of B', { exact: true }).selectOption('heron')
await rechecked
const spoken = page.waitForResponse(response => response.url().endsWith('/v1/audio/speech'))
await page.getByRole('button', { name: 'Hear the voice of B' }).click()
seen.preview = (await spoken).status()
await page.getByLabel('Title').fill('The mill')
seen.facts = await page.locator('.facts').textContent()
await inspect('3-cast')

// render, by keyboard
await page.getByLabel('Format').focus()
for (let presses = 0; presses < 5; presses += 1) {
  await page.keyboard.press('Tab')
  if (await page.evaluate(() => document.activeElement.textContent === 'Render')) break
}
await page.keyboard.press('Enter')
await page.waitForURL(/#\/jobs\/job_/)

// hear it before it is done
await page.locator('.player button.primary:enabled').click()
seen.early = []
for (let times = 0; times < 4; times += 1) {
  const status = (await job()).status
  seen.early.push({ status, ...await sound() })
  await page.waitForTimeout(300)
}
await inspect('4-running')
await finished()
await page.locator('.words .now').first().waitFor()
const { duration_s: whole } = await job()
await page.waitForFunction(seconds => Math.abs(document.querySelector('.player audio').duration - seconds) < 1, whole, { timeout: 60_000 })
seen.whole = { ...await sound(), ...await job() }
seen.word = await page.evaluate(async () => {
  const id = location.hash.match(/jobs\/([^?]+)/)[1]
  const words = await (await fetch(`/v1/audio/jobs/${id}/words`)).json()
  document.querySelector('.player audio').pause()
  await new Promise(resolve => setTimeout(resolve, 200))
  const at = document.querySelector('.player audio').currentTime
  const begun = time => Math.max(0, words.findLastIndex(word => word.start_s <= time))
  const expected = words.slice(begun(at - 0.1), begun(at + 0.1) + 1).map(word => word.word)
  return { marked: document.querySelector('.words .now').textContent, expected }
})
await inspect('5-finished')
seen.first = (await job()).id

// change a line, and hear the new one
const turn = page.locator('.turn').nth(5)
await turn.hover()
await turn.getByRole('button', { name: /^Change line/ }).click()
await turn.getByRole('textbox').fill(changed)
await turn.getByRole('button', { name: 'Make and hear it' }).click()
await page.waitForURL(/turn=5/)
await finished()
await page.locator('.turn.current').getByText(changed.split(' ')[0]).first().waitFor()
await page.waitForFunction(() => document.querySelector('.player audio')?.currentTime > 0.5)
seen.changed = await page.evaluate(async () => {
  const id = location.hash.match(/jobs\/([^?]+)/)[1]
  const turns = await (await fetch(`/v1/audio/jobs/${id}/turns`)).json()
  return { id, turn: turns[5], at: document.querySelector('.player audio').currentTime, text: document.querySelector('.turn.current .words').textContent }
})

// another take, beside the first one, and choose it
await page.locator('.turn.current').getByRole('button', { name: /^Takes of line/ }).click()
await page.getByRole('button', { name: 'Make another take' }).first().click()
await page.getByText('Take 100 (yours)').waitFor()
await inspect('6-takes')
await page.getByRole('button', { name: /^Use it: Take 100/ }).click()
await page.getByText('Take 100 (yours) is in the file now.').waitFor()
await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
await page.getByText('revision 1').waitFor()
seen.revision = (await job()).revision

// download
await page.getByRole('button', { name: 'Download' }).click()
await inspect('7-download')
const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Audio, mp3' }).click()])
await file.saveAs(process.env.FILE)
seen.file = file.suggestedFilename()
await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()

// the list
await page.getByRole('link', { name: 'Jobs' }).click()
await page.locator('.jobs li a').first().waitFor()
seen.jobs = await page.locator('.jobs li a').allTextContents()
await inspect('8-jobs')
await page.getByLabel('Search jobs').fill('nothing has this name')
await page.getByText('No job matches.').waitFor()

await page.emulateMedia({ colorScheme: 'dark' })

// a line that is asked for before its times are loaded is heard
let release
const released = new Promise(resolve => { release = resolve })
await page.route('**/turns', async route => { await released; await route.continue() })
await page.goBack()
await page.locator('.transcript').waitFor()
const other = page.locator('.turn').nth(9) // the address names another one
await other.hover()
await other.getByRole('button', { name: /^Hear line/ }).click()
release()
await page.waitForFunction(() => document.querySelectorAll('.turn')[9].classList.contains('current') && !document.querySelector('.player audio').paused)
await inspect('9-dark')
seen.complaints = complaints
console.log(JSON.stringify({ ...seen, axe: inspection.axe, wide: inspection.wide }))
await browser.close()
