"""Node: synchronous, callback, promise and stream calls (libuv's threads), modules, children."""

from worlds import NO_RING, script, sh

node, esm = script("node"), script("esm")

PROGRAMS = [
    node("node-that-may-use-io-uring", """
        const fs = require('fs'), D = process.env.D, digest = data => data.length + ' ' + require('crypto').createHash('sha256').update(data).digest('hex').slice(0, 16)
        Promise.all(['sizes/9MiB', 'text/utf8.txt', 'empty', 'many/file-007.txt'].map(name => fs.promises.readFile(`${D}/${name}`))).then(all => {
            console.log(all.map(digest))
            fs.stat(`${D}/one-byte`, (error, st) => fs.open(`${D}/one-byte`, (error, fd) => fs.read(fd, Buffer.alloc(3), 0, 3, 0, (error, n, data) => fs.close(fd, error => console.log(st.size, n, data, error)))))
        })
    """, env={"UV_USE_IO_URING": "1"}, told=NO_RING),
    node("node-sync", """
        const fs = require('fs'), path = require('path'), crypto = require('crypto'), D = process.env.D
        const digest = data => data.length + ' ' + crypto.createHash('sha256').update(data).digest('hex').slice(0, 16)
        const err = call => { try { return call() } catch (e) { return e.code } }
        for (const name of ['empty', 'one-byte', 'sizes/9MiB', 'text/utf8.txt']) console.log(name, digest(fs.readFileSync(`${D}/${name}`)))
        console.log(fs.readdirSync(`${D}/nested`).sort(), fs.readdirSync(`${D}/nested`, { withFileTypes: true }).map(e => e.name + e.isDirectory()).sort())
        console.log(fs.readdirSync(`${D}/pages`).length, fs.readdirSync(`${D}/code/js`, { recursive: true }).length)
        const s = fs.statSync(`${D}/one-byte`), b = fs.statSync(`${D}/sizes/9MiB`, { bigint: true })
        console.log(s.size, s.mode.toString(8), s.isFile(), b.size, Math.floor(s.mtimeMs / 1000) > 1e9, fs.lstatSync(`${D}/text`).isDirectory())
        console.log(fs.existsSync(`${D}/none`), fs.existsSync(`${D}/text/`), err(() => fs.accessSync(`${D}/one-byte`, fs.constants.R_OK)))
        console.log(err(() => fs.readFileSync(`${D}/none`)), err(() => fs.readFileSync(`${D}/text`)), err(() => fs.readdirSync(`${D}/one-byte`)), err(() => fs.readlinkSync(`${D}/one-byte`)))
        console.log(path.relative(D, fs.realpathSync(`${D}/text/../nested/a`)), path.relative(D, fs.realpathSync.native(`${D}/text/../nested/a/leaf-a.txt`)))
        const fd = fs.openSync(`${D}/sizes/9MiB`), buffer = Buffer.alloc(5000)
        console.log(fs.readSync(fd, buffer, 0, 5000, 4194000), digest(buffer), fs.readSync(fd, buffer, 0, 100, null), fs.readSync(fd, buffer, 100, 100, null), digest(buffer))
        console.log(fs.readvSync(fd, [Buffer.alloc(10), Buffer.alloc(4194304)], 3), fs.fstatSync(fd).size)
        fs.closeSync(fd)
        console.log(err(() => fs.closeSync(fd)))
        fs.copyFileSync(`${D}/sizes/9MiB`, `${process.env.T}/copy`)
        fs.cpSync(`${D}/nested`, `${process.env.T}/tree`, { recursive: true })
        console.log(digest(fs.readFileSync(`${process.env.T}/copy`)), fs.readdirSync(`${process.env.T}/tree`).sort())
        const dir = fs.opendirSync(`${D}/nested/a`)
        let names = [], entry
        while ((entry = dir.readSync())) names.push(entry.name)
        dir.closeSync()
        console.log(names.sort())
    """),
    node("node-async", """
        const fs = require('fs'), crypto = require('crypto'), D = process.env.D
        const digest = data => data.length + ' ' + crypto.createHash('sha256').update(data).digest('hex').slice(0, 16)
        const promises = fs.promises
        async function main() {
            const all = await Promise.all([...Array(60).keys()].map(n => promises.readFile(`${D}/many/file-${String(n).padStart(3, '0')}.txt`, 'utf8')))
            console.log(digest(all.join('')))
            const handle = await promises.open(`${D}/sizes/9MiB`)
            const parts = await Promise.all([...Array(30).keys()].map(n => handle.read(Buffer.alloc(70000), 0, 70000, n * 300000)))
            console.log(parts.map(p => digest(p.buffer)).join(' '))
            console.log((await handle.stat()).size, (await handle.readv([Buffer.alloc(7), Buffer.alloc(9)], 4194300)).bytesRead)
            await handle.close()
            const text = await promises.open(`${D}/text/alpha.txt`)
            let lines = 0
            for await (const line of text.readLines()) lines += line.includes('warm')
            console.log(lines)
            const names = []
            for await (const entry of await promises.opendir(`${D}/nested`)) names.push(entry.name)
            console.log(names.sort())
            for (const call of [() => promises.readFile(`${D}/none`), () => promises.readFile(`${D}/text`), () => promises.readdir(`${D}/one-byte`), () => promises.stat(`${D}/one-byte/x`)])
                console.log(await call().catch(e => e.code))
            await new Promise(done => fs.readFile(`${D}/text/crlf.txt`, 'latin1', (e, data) => { console.log(e, data); done() }))
            await promises.cp(`${D}/nested`, `${process.env.T}/n`, { recursive: true })
            console.log((await promises.readdir(`${process.env.T}/n`, { recursive: true })).length)
            await promises.copyFile(`${D}/sizes/4MiB+1`, `${process.env.T}/c`)
            console.log(digest(await promises.readFile(`${process.env.T}/c`)))
            console.log((await promises.readFile(`${D}/sizes/4MiB-1`)).length, await promises.access(`${D}/empty`))
        }
        main()
    """),
    node("node-streams", """
        const fs = require('fs'), crypto = require('crypto'), zlib = require('zlib'), readline = require('readline'), { pipeline } = require('stream/promises'), D = process.env.D
        async function main() {
            const hash = crypto.createHash('sha256')
            for await (const piece of fs.createReadStream(`${D}/sizes/9MiB`, { highWaterMark: 300000 })) hash.update(piece)
            console.log(hash.digest('hex'))
            const some = []
            for await (const piece of fs.createReadStream(`${D}/sizes/9MiB`, { start: 4194300, end: 4194310 })) some.push(piece)
            console.log(Buffer.concat(some).toString('hex'))
            await pipeline(fs.createReadStream(`${D}/archives/notes.gz`), zlib.createGunzip(), fs.createWriteStream(`${process.env.T}/notes`))
            console.log(fs.statSync(`${process.env.T}/notes`).size)
            let n = 0
            for await (const line of readline.createInterface({ input: fs.createReadStream(`${D}/text/crlf.txt`) })) console.log(n++, line)
            fs.createReadStream(`${D}/none`).on('error', e => console.log(e.code))
        }
        main()
    """),
    node("node-children-workers", """
        const { execFileSync, spawnSync, spawn } = require('child_process'), { Worker } = require('worker_threads'), fs = require('fs'), D = process.env.D
        console.log(execFileSync('cat', [`${D}/text/crlf.txt`]).toString())
        console.log(spawnSync('sh', ['-c', 'pwd; ls; cat a.txt'], { cwd: `${D}/nested` }).stdout.toString())
        const fd = fs.openSync(`${D}/text/crlf.txt`)
        console.log(spawnSync('cat', [], { stdio: [fd, 'pipe', 'pipe'] }).stdout.toString())
        process.chdir(`${D}/nested/a`)
        console.log(process.cwd(), fs.readFileSync('leaf-a.txt', 'utf8').length, fs.readdirSync('..').sort())
        const work = "const fs = require('fs'); const { parentPort, workerData } = require('worker_threads'); parentPort.postMessage(fs.readFileSync(workerData).length)"
        let rest = 4
        const seen = []
        for (const name of ['sizes/9MiB', 'sizes/4MiB', 'text/alpha.txt', 'empty'])
            new Worker(work, { eval: true, workerData: `${D}/${name}` }).on('message', n => { seen.push(n); if (--rest === 0) console.log(seen.sort()) })
    """),
    esm("node-modules", """
        import { createRequire } from 'node:module'
        import { pathToFileURL } from 'node:url'
        const D = process.env.D, require = createRequire(import.meta.url)
        console.log(require(`${D}/code/js/shapes`).area(3), require(`${D}/code/js/shapes/data`), (await import(pathToFileURL(`${D}/code/js/twice.mjs`))).twice(9))
        try { require(`${D}/code/js/none`) } catch (e) { console.log(e.code) }
    """),
    sh("node-main-in-the-tree", "node $D/code/js/main.js && node $D/code/js/main.mjs && node $D/code/js/uses-dep.js && cd $D/code/js && node main.js && node --input-type=module -e 'import(\"'$D'/code/js/twice.mjs\").then(m => console.log(m.twice(1)))' && node -r $D/code/js/shapes -p 1 && node --check main.js && node - <$D/code/js/uses-dep.js 2>&1 | grep -c -e 'a dependency' -e 'Cannot find module'"),
]
