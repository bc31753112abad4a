import { contentTypes, OfficePackage } from "../package.ts";
import { addSlide } from "./arrange.ts";
import { layoutType, masterType, namespaces, presentationType, relationshipTypes, themeType } from "./vocabulary.ts";

/** A presentation of one empty title slide, 16 by 9, with the layouts that most slides need. */
export function create(): Uint8Array {
  const pack = OfficePackage.empty();
  pack.put(contentTypes, typesXml);
  const presentation = "ppt/presentation.xml";
  const master = "ppt/slideMasters/slideMaster1.xml";
  const theme = "ppt/theme/theme1.xml";
  pack.addRelationship("", relationshipTypes.officeDocument, presentation);
  pack.put(presentation, presentationXml);
  pack.setContentType(presentation, presentationType);
  pack.addRelationship(presentation, relationshipTypes.slideMaster, "slideMasters/slideMaster1.xml");
  pack.put(master, masterXml);
  pack.setContentType(master, masterType);
  layouts.forEach(({ name, type, shapes }, index) => {
    const layout = `ppt/slideLayouts/slideLayout${index + 1}.xml`;
    pack.put(layout, layoutXml(name, type, shapes));
    pack.setContentType(layout, layoutType);
    pack.addRelationship(layout, relationshipTypes.slideMaster, "../slideMasters/slideMaster1.xml");
    pack.addRelationship(master, relationshipTypes.slideLayout, `../slideLayouts/slideLayout${index + 1}.xml`);
  });
  pack.addRelationship(master, relationshipTypes.theme, "../theme/theme1.xml");
  pack.put(theme, themeXml);
  pack.setContentType(theme, themeType);
  addSlide(pack, 0, { layout: "Title Slide" });
  return pack.save();
}

interface Placeholder {
  readonly type: string;
  readonly index: number;
  /** Left, top, width, height. */
  readonly box: readonly [number, number, number, number];
}

const title: Placeholder = { type: "title", index: 0, box: [838_200, 365_125, 10_515_600, 1_325_563] };
const body: Placeholder = { type: "body", index: 1, box: [838_200, 1_825_625, 10_515_600, 4_351_338] };

const layouts: readonly { name: string; type: string; shapes: readonly Placeholder[] }[] = [
  {
    name: "Title Slide",
    type: "title",
    shapes: [
      { type: "ctrTitle", index: 0, box: [1_524_000, 1_122_363, 9_144_000, 2_387_600] },
      { type: "subTitle", index: 1, box: [1_524_000, 3_602_038, 9_144_000, 1_655_762] },
    ],
  },
  { name: "Title and Content", type: "obj", shapes: [title, { ...body, type: "obj" }] },
  {
    name: "Two Content",
    type: "twoObj",
    shapes: [
      title,
      { type: "obj", index: 1, box: [838_200, 1_825_625, 5_181_600, 4_351_338] },
      { type: "obj", index: 2, box: [6_172_200, 1_825_625, 5_181_600, 4_351_338] },
    ],
  },
  { name: "Title Only", type: "titleOnly", shapes: [title] },
  { name: "Blank", type: "blank", shapes: [] },
];

const declared = `xmlns:a="${namespaces.a}" xmlns:r="${namespaces.r}" xmlns:p="${namespaces.p}"`;
const head = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n`;

const typesXml =
  `${head}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
  `<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
  `<Default Extension="xml" ContentType="application/xml"/></Types>`;

const presentationXml =
  `${head}<p:presentation ${declared}><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst>` +
  `<p:sldSz cx="12192000" cy="6858000"/><p:notesSz cx="6858000" cy="9144000"/></p:presentation>`;

function treeXml(shapes: readonly Placeholder[]): string {
  const drawn = shapes.map(({ type, index, box: [left, top, width, height] }, at) => {
    const name = /title$/i.test(type) && type !== "subTitle" ? "Title" : "Content";
    const kind = type === "obj" ? "" : ` type="${type}"`;
    return (
      `<p:sp><p:nvSpPr><p:cNvPr id="${at + 2}" name="${name} ${at + 1}"/><p:cNvSpPr><a:spLocks noGrp="1"/></p:cNvSpPr>` +
      `<p:nvPr><p:ph${kind}${index === 0 ? "" : ` idx="${index}"`}/></p:nvPr></p:nvSpPr>` +
      `<p:spPr><a:xfrm><a:off x="${left}" y="${top}"/><a:ext cx="${width}" cy="${height}"/></a:xfrm></p:spPr>` +
      `<p:txBody><a:bodyPr/><a:lstStyle/><a:p><a:endParaRPr lang="en-US"/></a:p></p:txBody></p:sp>`
    );
  });
  return (
    `<p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>` +
    `${drawn.join("")}</p:spTree>`
  );
}

function layoutXml(name: string, type: string, shapes: readonly Placeholder[]): string {
  return (
    `${head}<p:sldLayout ${declared} type="${type}" preserve="1"><p:cSld name="${name}">${treeXml(shapes)}</p:cSld>` +
    `<p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:sldLayout>`
  );
}

/** Nine levels of a list, as `a:lvl1pPr` and so on. */
function levels(sizes: readonly number[], bulleted: boolean): string {
  return sizes
    .map((size, at) => {
      const bullet = bulleted ? `<a:buFont typeface="Arial"/><a:buChar char="•"/>` : "<a:buNone/>";
      const indent = bulleted ? ` marL="${228_600 + at * 457_200}" indent="-228600"` : "";
      return (
        `<a:lvl${at + 1}pPr${indent} algn="l"><a:lnSpc><a:spcPct val="90000"/></a:lnSpc>${bullet}` +
        `<a:defRPr sz="${size}"><a:solidFill><a:schemeClr val="tx1"/></a:solidFill><a:latin typeface="+mn-lt"/></a:defRPr>` +
        `</a:lvl${at + 1}pPr>`
      );
    })
    .join("");
}

const colorMap =
  `<p:clrMap bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" accent1="accent1" accent2="accent2" accent3="accent3" ` +
  `accent4="accent4" accent5="accent5" accent6="accent6" hlink="hlink" folHlink="folHlink"/>`;

const masterXml =
  `${head}<p:sldMaster ${declared}><p:cSld><p:bg><p:bgRef idx="1001"><a:schemeClr val="bg1"/></p:bgRef></p:bg>` +
  `${treeXml([title, body])}</p:cSld>${colorMap}<p:sldLayoutIdLst>` +
  `${layouts.map((_, at) => `<p:sldLayoutId id="${2_147_483_649 + at}" r:id="rId${at + 1}"/>`).join("")}</p:sldLayoutIdLst>` +
  `<p:txStyles><p:titleStyle>${levels([4_400], false)}</p:titleStyle>` +
  `<p:bodyStyle>${levels([2_800, 2_400, 2_000, 1_800, 1_800, 1_800, 1_800, 1_800, 1_800], true)}</p:bodyStyle>` +
  `<p:otherStyle>${levels([1_800], false)}</p:otherStyle></p:txStyles></p:sldMaster>`;

const colors = {
  dk1: "000000",
  lt1: "FFFFFF",
  dk2: "44546A",
  lt2: "E7E6E6",
  accent1: "4472C4",
  accent2: "ED7D31",
  accent3: "A5A5A5",
  accent4: "FFC000",
  accent5: "5B9BD5",
  accent6: "70AD47",
  hlink: "0563C1",
  folHlink: "954F72",
};

const fill = `<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>`;
const line = `<a:ln w="6350">${fill}</a:ln>`;
const fonts = `<a:latin typeface="Calibri"/><a:ea typeface=""/><a:cs typeface=""/>`;
const effect = "<a:effectStyle><a:effectLst/></a:effectStyle>";

const themeXml =
  `${head}<a:theme xmlns:a="${namespaces.a}" name="Plain"><a:themeElements><a:clrScheme name="Plain">` +
  Object.entries(colors)
    .map(([name, value]) => `<a:${name}><a:srgbClr val="${value}"/></a:${name}>`)
    .join("") +
  `</a:clrScheme><a:fontScheme name="Plain"><a:majorFont>${fonts}</a:majorFont><a:minorFont>${fonts}</a:minorFont></a:fontScheme>` +
  `<a:fmtScheme name="Plain"><a:fillStyleLst>${fill.repeat(3)}</a:fillStyleLst><a:lnStyleLst>${line.repeat(3)}</a:lnStyleLst>` +
  `<a:effectStyleLst>${effect.repeat(3)}</a:effectStyleLst><a:bgFillStyleLst>${fill.repeat(3)}</a:bgFillStyleLst></a:fmtScheme>` +
  `</a:themeElements></a:theme>`;
