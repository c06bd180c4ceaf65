// Answers what SillyTavern, @risuai/ccardlib and character-card-utils make of each of `cards`, a pair of V2 and V3.
import { alone, answer, packaged, question } from './runner.mjs';

const { TavernCardValidator } = await alone('src/validator/TavernCardValidator.js');
const { CCardLib } = packaged('@risuai/ccardlib');
const utils = packaged('character-card-utils');
answer(question().cards.map(({ v2, v3 }) => ({
    sillytavern: [v2, v3].map(card => new TavernCardValidator(card).validate()),
    versions: [CCardLib.character.check(v2), CCardLib.character.check(v3)],
    complaints: [utils.backfilledV2, utils.v2].map(form => form.safeParse(v2)).flatMap(found => found.success ? [] : found.error.issues),
    utils: utils.parseToV2(v2),
    fromV1: utils.v1ToV2(utils.v1.parse(v2)),
    toV1: CCardLib.character.convert(v2, { from: 'v2', to: 'v1' }),
    toV2: CCardLib.character.convert(v3, { from: 'v3', to: 'v2' }),
    toV3: CCardLib.character.convert(v2, { from: 'v2', to: 'v3' }),
})));
