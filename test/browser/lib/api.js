/*
 * api.js: what a module offers, read by TypeScript's parser from its source and
 * from the types beside it: { name: null | [members of a class] }.
 */
import ts from 'typescript'

const HIDDEN = ts.ModifierFlags.Private | ts.ModifierFlags.Protected

/** Of several files at once: a Map of file → offer. */
export function offersOf(files) {
  const program = ts.createProgram(files, {
    allowJs: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    skipLibCheck: true,
    types: []
  })
  const checker = program.getTypeChecker()
  return new Map(files.map(file => [file, offerOf(checker, program.getSourceFile(file))]))
}

function offerOf(checker, source) {
  const offer = {}
  for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(source))) {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
    if (!(symbol.flags & ts.SymbolFlags.Value)) continue
    const declaration = symbol.declarations.find(ts.isClassDeclaration)
    offer[exported.name] = declaration ? membersOf(declaration) : null
  }
  return offer
}

// Its own; what it inherits is the business of whoever it inherits from.
function membersOf(declaration) {
  const names = new Set()
  for (const member of declaration.members) {
    if (!member.name || ts.isPrivateIdentifier(member.name)) continue
    const flags = ts.getCombinedModifierFlags(member)
    if (flags & HIDDEN) continue
    names.add(`${flags & ts.ModifierFlags.Static ? 'static ' : ''}${member.name.getText()}`)
  }
  return [...names].sort()
}

/** One whose data is put there when it is made. */
export const isRecord = name => /(Event|Error)$/.test(name)
