// Pace and other names of a book's cast by keyboard alone, and an archive of chapters.
import { open } from './browser.mjs'
import { Inspection } from './inspection.mjs'

const { browser, page, complaints } = await open()
const inspection = new Inspection(page)
const seen = {}
const checked = () => page.waitForResponse(response => response.url().endsWith('/v1/audio/check') && response.ok()).then(response => response.json())
const label = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent)

/** Press Tab until a control of this name has the focus. */
async function reach(name) {
  for (let presses = 0; presses < 40; presses += 1) {
    if ((await label()).trim().startsWith(name)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`${name} is not reached`)
}

/** Type into the field that has the focus; the check that follows. */
async function type(name, text) {
  await reach(name)
  const found = checked()
  await page.keyboard.insertText(text)
  await page.keyboard.press('Enter')
  return found
}

await page.goto(process.env.PAGE_URL)
const first = checked()
await page.getByRole('textbox', { name: 'Script', exact: true }).fill('# One\n\nBen: Well, I never.\n\nBenny: It was me all along.\n\n# Two\n\nAnn: And I was late.\n\nBen: Yes.')
seen.before = (await first).speakers.map(each => each.name)
await page.getByLabel('Voice of Benny', { exact: true }).waitFor()

await page.getByLabel('Voice of Ben', { exact: true }).focus()
await reach('Pace and other names of Ben')
await page.keyboard.press('Enter')
seen.faulty = (await type('Pace of Ben', '1.9')).problems
seen.focus = await label()
await page.keyboard.press('Control+A')
await type('Pace of Ben', '1.2')
seen.after = (await type('Other names of Ben', 'Benny')).speakers.map(each => each.name)
await page.getByLabel('Voice of Benny', { exact: true }).waitFor({ state: 'detached' })
await inspection.inspect('cast-1-pace')
await page.keyboard.press('Shift+Tab')
await page.keyboard.press('Shift+Tab')
await page.keyboard.press('Enter')
seen.summary = await page.locator('.cast summary').first().textContent()

await page.getByLabel('Format').focus()
await page.getByLabel('Format').selectOption('mp3.zip')
await page.getByLabel('Hours per file').waitFor()
await inspection.inspect('cast-2-archive')
const created = page.waitForRequest(request => request.method() === 'POST' && request.url().endsWith('/v1/audio/jobs'))
await reach('Render')
await page.keyboard.press('Enter')
seen.request = (await created).postDataJSON()
await page.waitForFunction(() => document.querySelector('.state')?.textContent.startsWith('Finished'))
await page.getByRole('button', { name: 'Download' }).waitFor()
await page.waitForFunction(() => document.querySelector('.player').hidden)
const heard = page.waitForResponse(response => /segments\/0\/audio/.test(response.url()))
await page.getByRole('button', { name: 'Hear line 3, Ben' }).click()
seen.heard = (await heard).status()
await page.getByRole('button', { name: 'Download' }).click()
await inspection.inspect('cast-3-download')
const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'File, mp3.zip' }).click()])
await file.saveAs(process.env.FILE)
seen.offered = await page.getByLabel('Another format', { exact: false }).locator('option').allTextContents()
console.log(JSON.stringify({ ...seen, axe: inspection.axe, wide: inspection.wide, complaints }))
await browser.close()
