import { OfficePackage } from "../../package.ts";
import { main, relationshipsNamespace, relationshipType } from "./parts.ts";

const head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const types = "application/vnd.openxmlformats-officedocument.spreadsheetml.";
const packageNamespace = "http://schemas.openxmlformats.org/package/2006";

/** A workbook with one empty sheet. */
export function createXlsx(): Uint8Array {
  const pkg = OfficePackage.empty();
  pkg.put(
    "[Content_Types].xml",
    `${head}<Types xmlns="${packageNamespace}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="${types}sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="${types}worksheet+xml"/><Override PartName="/xl/styles.xml" ContentType="${types}styles+xml"/></Types>`,
  );
  const relationships = (list: string): string =>
    `${head}<Relationships xmlns="${packageNamespace}/relationships">${list}</Relationships>`;
  pkg.put(
    "_rels/.rels",
    relationships(`<Relationship Id="rId1" Type="${relationshipType("officeDocument")}" Target="xl/workbook.xml"/>`),
  );
  pkg.put(
    "xl/workbook.xml",
    `${head}<workbook xmlns="${main}" xmlns:r="${relationshipsNamespace}"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>`,
  );
  pkg.put(
    "xl/_rels/workbook.xml.rels",
    relationships(
      `<Relationship Id="rId1" Type="${relationshipType("worksheet")}" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="${relationshipType("styles")}" Target="styles.xml"/>`,
    ),
  );
  pkg.put(
    "xl/worksheets/sheet1.xml",
    `${head}<worksheet xmlns="${main}"><dimension ref="A1"/><sheetData/></worksheet>`,
  );
  pkg.put(
    "xl/styles.xml",
    `${head}<styleSheet xmlns="${main}"><fonts count="1"><font><sz val="11"/><name val="Calibri"/><family val="2"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`,
  );
  return pkg.save();
}
