// Names, titles and texts that would be code if they were HTML.
import { open } from './browser.mjs'

const CODE = '<img src=x onerror=alert(1)>'
const { browser, page, complaints } = await open()
await page.goto(process.env.PAGE_URL)
const script = JSON.stringify([{ speaker: CODE, text: `Hello <b>there</b> and goodbye.` }, { speaker: 'Ben', text: 'Yes.' }])
await page.getByRole('textbox', { name: 'Script', exact: true }).fill(script)
await page.locator('.cast li').first().waitFor()
const cast = await page.locator('.cast strong').allTextContents()
await page.getByLabel('Title').fill(CODE)
await page.getByRole('button', { name: 'Render' }).click()
await page.waitForFunction(() => document.querySelector('.state')?.textContent.startsWith('Finished'))
const title = await page.locator('h1').textContent()
const speakers = await page.locator('.turn-head strong').allTextContents()
await page.getByRole('link', { name: 'Jobs' }).click()
await page.locator('.jobs li a').first().waitFor()
const jobs = await page.locator('.jobs li a').allTextContents()
const refused = await page.evaluate(() => {
  try {
    document.body.innerHTML = '<p>x</p>'
    return 'set'
  } catch (error) {
    return error.name
  }
})
const images = await page.locator('img[src="x"]').count()
console.log(JSON.stringify({ cast, title, speakers, jobs, images, refused, complaints }))
await browser.close()
