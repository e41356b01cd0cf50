// Reads a document of a few pages with drawings and text, takes its text and paints it.

import { digest, ensure, stream, text } from "../support.mjs";

/** A document of plain objects; its table of contents is computed as the format wants it. */
function document(pages, seed) {
    const next = stream(seed);
    const objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"];
    const kids = [];
    for (let p = 0; p < pages; p++) {
        let content = "";
        for (let i = 0; i < 60; i++) {
            content += `${next(100) / 100} ${next(100) / 100} ${next(100) / 100} ${i % 2 ? "rg" : "RG"} ${next(500)} ${next(700)} m ${next(500)} ${next(700)} ${next(500)} ${next(700)} ${next(500)} ${next(700)} c ${i % 2 ? "f*" : "S"}\n`;
        }
        const lines = text(900, next(1 << 30)).split("\n").map((line) => `(${line}) ' `).join("\n");
        content += `0 g BT /F 11 Tf 14 TL 40 740 Td ${lines} ET`;
        objects.push(`<< /Length ${content.length} >>\nstream\n${content}\nendstream`);
        kids.push(`${objects.length + 1} 0 R`);
        objects.push(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 560 780] /Contents ${objects.length} 0 R /Resources << /Font << /F 3 0 R >> >> >>`);
    }
    objects[1] = `<< /Type /Pages /Count ${pages} /Kids [${kids.join(" ")}] >>`;
    let out = "%PDF-1.4\n";
    const places = objects.map((object, i) => {
        const place = out.length;
        out += `${i + 1} 0 obj\n${object}\nendobj\n`;
        return `${String(place).padStart(10, "0")} 00000 n \n`;
    });
    const start = out.length;
    return Buffer.from(`${out}xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${places.join("")}trailer << /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`, "latin1");
}

export default async (packages) => {
    const { PDFiumLibrary } = await packages.import("@hyzyla/pdfium/dist/index.esm.js");
    const wasm = packages.read("@hyzyla/pdfium/dist/pdfium.wasm");
    const library = await PDFiumLibrary.init({ wasmBinary: wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.length) });
    const bytes = document(4, 17);
    return {
        async work() {
            const pdf = await library.loadDocument(bytes);
            const answers = { pages: [] };
            for (const page of pdf.pages()) {
                // Painting closes the page.
                const [found, objects] = [page.getText(), page.getObjectCount()];
                const image = await page.render({ scale: 1 });
                answers.pages.push([found, objects, digest(image.data), image.width, image.height]);
            }
            ensure(answers.pages.length === 4 && answers.pages[0][0].includes("0:"), "that the text is found");
            pdf.destroy();
            return answers;
        },
    };
};
