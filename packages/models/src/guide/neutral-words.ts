/** Words of any question, whatever it is about. That one of them is new says nothing, and that one is known says little. */
export const neutralWords: readonly string[] = `
  a about actually after again all almost already also always am an and another any anybody anyone anything are around as at
  away back be because been before began begin being best better between both but by call came can case certain come could
  day days did different do does doing done down during each easy either else end enough even ever every everybody everyone
  everything exact exactly far few find first follow for from full further gave general get give go goes going gone good got
  great had happen has have having he help her here him his hold how however i if in instead into is it its itself just keep
  kind know known last later least left less let like little long look looks made make makes making many matter may maybe me
  mean might mine moment more most much must my myself need needs never new next no nobody none not nothing now of off often
  on once one ones only onto or other others our out over own particular part perhaps place please possible proper put quick
  quickly quite rather really right said same say says see seem set shall she should show simple simply since so some somebody
  somehow someone something sometimes somewhere soon sort still such sure take takes tell than that the their them then there
  these they thing things think this those though through time times to together too took toward towards tried try trying
  under until up upon us use used useful using usual usually very want wanted wants was way ways we well were what whatever
  when whenever where wherever whether which while who whole whom whose why will wish with within without would yes yet you
  your yours yourself kindly hello hi ok okay explain easily actual suddenly properly current currently present today tomorrow
  yesterday bit lot lots plenty several couple two three four five second third per via across against along among behind
  beside beyond despite except near unlike able allowed supposed expected needed required wonder wondering understand learn
  read write work works working
`
  .trim()
  .split(/\s+/);
