// The page by keyboard alone: every control is reached by Tab, shows its focus, and is not hidden by the player.
import { open } from './browser.mjs'

const { browser, page, complaints } = await open({ height: 700 })
const seen = { unmarked: [], covered: [] }

const focused = () => page.evaluate(() => {
  const element = document.activeElement
  const name = element.getAttribute('aria-label') ?? element.labels?.[0]?.querySelector('span')?.textContent ?? element.textContent
  const marked = element.matches('.editor textarea') ? getComputedStyle(element.parentElement).boxShadow !== 'none' : getComputedStyle(element).outlineStyle !== 'none'
  const box = element.getBoundingClientRect()
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + Math.min(box.height, 40) / 2)
  return { tag: element.tagName, name: name.trim(), marked, seen: top !== null && (element.contains(top) || top.contains(element)) }
})

/** Press Tab until a control of this name has the focus. */
async function reach(name, { back = false, most = 60 } = {}) {
  for (let presses = 0; presses < most; presses += 1) {
    await page.keyboard.press(back ? 'Shift+Tab' : 'Tab')
    const found = await focused()
    if (found.tag === 'BODY') continue
    if (!found.marked) seen.unmarked.push(found)
    if (!found.seen) seen.covered.push(found)
    if (found.name === name) return
  }
  throw new Error(`${name} is not reached by ${most} presses of Tab`)
}

await page.goto(process.env.PAGE_URL)
await page.getByText('Paste a script, and its speakers appear here.').waitFor()

// past the head of the page, a fault at its line, and the cast
await page.keyboard.press('Tab')
seen.first = (await focused()).name
await page.keyboard.press('Enter')
seen.skipped = await page.evaluate(() => [document.activeElement.id, location.hash])
await reach('Script')
await page.keyboard.insertText('Ann: The harbour was quiet.\n\nBen: Well 😀 there.')
await page.getByRole('button', { name: 'Line 3' }).waitFor()
await reach('Line 3')
await page.keyboard.press('Enter')
seen.selected = await page.evaluate(() => document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd))
await page.keyboard.insertText('Ben: It was, until the boat came home that night.')
await page.getByLabel('Voice of Ben', { exact: true }).waitFor()
await page.waitForFunction(() => !document.querySelector('.lines > .faulty'))
await reach('Voice of Ben')
const checked = page.waitForResponse(response => response.url().endsWith('/v1/audio/check'))
await page.keyboard.press('ArrowDown')
await checked
await page.waitForFunction(() => !document.querySelector('.big').disabled)

// a dialog takes the focus and gives it back
await reach('Add a voice…', { most: 10 }).catch(() => reach('Add a voice…', { back: true }))
await page.keyboard.press('Enter')
await page.getByRole('dialog').waitFor()
for (let presses = 0; presses < 12; presses += 1) {
  await page.keyboard.press('Tab')
  if (!await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest('dialog') !== null)) seen.escaped = await focused()
}
await page.keyboard.press('Escape')
await page.getByRole('dialog').waitFor({ state: 'hidden' })
seen.returned = (await focused()).name

// title and start
await reach('Title')
await page.keyboard.insertText('By keyboard')
await reach('Render')
await page.keyboard.press('Enter')
await page.waitForURL(/#\/jobs\/job_/)
await page.waitForFunction(() => document.querySelector('.state')?.textContent.startsWith('Finished'))
await page.locator('.player button.primary:enabled').waitFor()
seen.view = await page.evaluate(() => document.activeElement.id)

// hear a line, seek, change a line
await reach('Hear line 3, Ben')
await page.keyboard.press('Enter')
await page.waitForFunction(() => !document.querySelector('.player audio').paused)
await reach('Pause', { most: 40 })
await page.keyboard.press('Space')
await page.waitForFunction(() => document.querySelector('.player audio').paused)
await reach('Position')
const before = await page.evaluate(() => document.querySelector('.player audio').currentTime)
await page.keyboard.press('Home')
await page.waitForFunction(() => document.querySelector('.player audio').currentTime === 0)
seen.sought = before > 0
await reach('Change line 3, Ben', { back: true })
await page.keyboard.press('Enter')
seen.editing = (await focused()).name
await page.keyboard.press('Escape')
seen.closed = (await focused()).name
await page.keyboard.press('Enter')
await page.keyboard.press('Control+A')
await page.keyboard.insertText('It was not.')
await page.keyboard.press('Control+Enter')
await page.waitForURL(/turn=1/)
await page.waitForFunction(() => document.querySelector('.state')?.textContent.startsWith('Finished'))
await page.getByText('It was not.').first().waitFor()

// takes and downloads
await reach('Takes of line 2, Ben') // its script is turns, which have numbers in place of lines
await page.keyboard.press('Enter')
await page.locator('.take').first().waitFor()
await reach('Make another take', { most: 10 })
await page.keyboard.press('Enter')
await page.getByText('Take 100 (yours)').waitFor()
await page.keyboard.press('Escape')
await reach('Download', { back: true })
await page.keyboard.press('Enter')
await page.getByRole('dialog').waitFor()
const [file] = await Promise.all([page.waitForEvent('download'), reach('Subtitles (SRT), srt', { most: 10 }).then(() => page.keyboard.press('Enter'))])
seen.file = file.suggestedFilename()
await page.keyboard.press('Escape')

// the list: two jobs compared
await reach('Jobs', { back: true })
await page.keyboard.press('Enter')
await page.locator('.jobs li').nth(1).waitFor()
await page.waitForFunction(() => document.activeElement.id === 'view')
for (let chosen = 0; chosen < 2; chosen += 1) {
  await reach('Compare By keyboard')
  await page.keyboard.press('Space')
}
await reach('Compare these two', { back: true })
await page.keyboard.press('Enter')
await page.getByRole('heading', { name: 'Two jobs compared' }).waitFor()
seen.compared = await page.locator('.changes .added .words').allTextContents()
console.log(JSON.stringify({ ...seen, complaints }))
await browser.close()
