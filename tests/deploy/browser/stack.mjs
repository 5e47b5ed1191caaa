// Looks at what compose's services show after some jobs: Flower with PostgreSQL behind it, and Prometheus.
// FLOWER_URL, FLOWER_LOGIN, PROMETHEUS_URL, CHROMIUM, PICTURES come by the environment; the job is the argument.
import { open } from './browser.mjs'

const { FLOWER_URL, FLOWER_LOGIN, PROMETHEUS_URL, PICTURES } = process.env
const [job] = process.argv.slice(2)
const { browser, page, complaints } = await open(FLOWER_LOGIN)
const seen = {}
const picture = name => page.screenshot({ path: `${PICTURES}/stack-${name}.png` })

await page.goto(`${FLOWER_URL}/workers`)
await page.locator('#workers-table tbody tr').nth(3).waitFor()
const texts = rows => rows.map(row => [...row.cells].map(cell => cell.textContent.trim()).join('\t'))
seen.workers = await page.locator('#workers-table tbody tr').evaluateAll(texts)
await picture('workers')

await page.goto(`${FLOWER_URL}/voxchord/jobs/${job}/report`)
seen.report = await page.locator('h1, h2').allInnerTexts()
await picture('report')

seen.complaints = [...complaints]

// Debian's Prometheus has the older of its two consoles only, and that one with faults of its own
await page.goto(`${PROMETHEUS_URL}/classic/targets`)
await page.waitForLoadState('networkidle')
seen.targets = await page.locator('body').innerText()
await picture('prometheus-targets')
await page.goto(`${PROMETHEUS_URL}/classic/alerts`)
await page.waitForLoadState('networkidle')
seen.alerts = await page.locator('body').innerText()
await picture('prometheus-alerts')

console.log(JSON.stringify(seen))
await browser.close()
