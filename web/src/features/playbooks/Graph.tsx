import { usePlaybookGraph } from "../../api/loopQueries";
import { useI18n } from "../../i18n";
import { Command, ErrorBox, Loading } from "../../ui/States";
import { SvgDrawing } from "../../ui/SvgDrawing";

/** The playbook as a flow chart, and the Mermaid text that it was drawn from. */
export function Graph({ name }: { name: string }) {
  const { t } = useI18n();
  const { data, error, refetch } = usePlaybookGraph(name, true);
  if (error) return <ErrorBox error={error} onRetry={() => void refetch()} />;
  if (!data) return <Loading />;
  return (
    <div className="graph">
      {data.svg ? (
        <SvgDrawing svg={data.svg} label={t("playbooks.graphOf", { name })} />
      ) : (
        <p className="dim">{t("playbooks.noGraph")}</p>
      )}
      <details open={!data.svg}>
        <summary>{t("playbooks.mermaid")}</summary>
        <Command text={data.mermaid} />
      </details>
    </div>
  );
}
