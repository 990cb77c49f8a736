// A batch job in a pod: classifies some digits by the service's name, prints what it found, and ends.
import process from "node:process";
import { heldBackDigits } from "../mesh/digits.ts";
import { classify, predictorClientAt } from "../mesh/predict.ts";

const client = predictorClientAt(process.env["LOAD_URL"] ?? "", "2");
const digits = heldBackDigits(100);
let right = 0;
for (const digit of digits) if ((await classify(client, digit)).label === digit.label) right++;
console.log(`${right} of ${digits.length} right`);
process.exit(0);
