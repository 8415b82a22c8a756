import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** One node on loopback. Arguments: home (lib/, modules/), data folder, HTTP port, KEY=VALUE ... */
public class Node8 {
  public static void main(String[] arguments) throws Exception {
    String home = arguments[0];
    String data = arguments[1];
    Settings.Builder settings = Settings.builder()
        .put("path.home", home)
        .put("path.data", data)
        .put("path.logs", data + "/logs")
        .put("node.name", "n1")
        .put("cluster.name", "test")
        .put("discovery.type", "single-node")
        .put("node.portsfile", true)
        .put("network.host", "127.0.0.1")
        .put("http.port", arguments[2])
        .put("transport.port", "0")
        .put("cluster.routing.allocation.disk.threshold_enabled", false);
    for (int i = 3; i < arguments.length; i++) {
      String[] pair = arguments[i].split("=", 2);
      settings.put(pair[0], pair[1]);
    }
    LogConfigurator.setNodeName("n1");
    LogConfigurator.configureESLogging();
    LogConfigurator.configureWithoutConfig(settings.build());
    Environment environment = InternalSettingsPreparer.prepareEnvironment(
        settings.build(), Map.of(), Path.of(home, "config"), () -> "n1");
    PluginsLoader plugins = PluginsLoader.createPluginsLoader(
        PluginsLoader.loadModulesBundles(environment.modulesDir()), Set.of(), Map.of(), false);
    Node node = new Node(environment, plugins);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        node.close();
      } catch (Exception error) {
        error.printStackTrace();
      }
    }));
    node.start();
    Thread.currentThread().join();
  }
}
